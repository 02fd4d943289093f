"""What mail servers say in words, and what it means: the first row that is found in a text decides.

Rows are in the order in which they are believed. A server that says two things (`552 user unknown or over quota`) has not said
that the address does not exist, so what speaks for a living address comes first; only then what says that there is none.

Words are those of the servers' own sources and documentation: Postfix (smtpd_*_restrictions, virtual and relay tables), Exim
(spec, "Unrouteable address"), sendmail (cf/README), qmail and netqmail, Exchange and Exchange Online ("NDR error codes"),
Gmail ("SMTP error reference"), Yahoo and AOL ("SMTP error codes"), Outlook.com ("Postmaster: troubleshooting"), GMX and
web.de ("Postmaster: error messages"), iCloud, Mimecast and Proofpoint ("SMTP error codes"), Barracuda, Cisco, Domino, NetEase
and Tencent ("退信代码"), NTT docomo, KDDI, Yandex and Mail.ru ("SMTP errors").
"""

from __future__ import annotations

import re

from sojourn.delivery.bounces.reasons import Reason

_ROWS: tuple[tuple[Reason, tuple[str, ...]], ...] = (
    (Reason.SENDER, (
        r"sender(?:'s)? (?:e-?mail )?(?:address|domain|verif|id|is not|not|denied|rejected|policy|unknown|name|ip|host|has been)",
        r"invalid sender", r"unknown sender", r"unverified sender", r"bad sender",
        r"sender\b[^.]{0,30}\b(?:reject|block|denied|refus|blacklist)", r"envelope sender", r"return[- ]path", r"\bdmarc\b",
        r"\bspf\b", r"\bdkim\b", r"sender policy framework", r"unauthenticated (?:e-?)?mail",
        r"authentication (?:check|result|is required|required|failed|fail|information)", r"not (?:pass|authenticated)",
        r"client was not authenticated", r"reverse (?:dns|mapping|lookup)", r"rdns", r"\bptr\b", r"\bhelo\b", r"\behlo\b",
        r"(?:your|client|sending) (?:host ?name|host rejected|domain)", r"mail from(?: command)?\b",
        r"from (?:address|domain|header)", r"domain of sender", r"verify sender", r"sender verif", r"sender callout", r"callback",
        r"does not match", r"forged", r"spoof", r"impersonat", r"not allowed to (?:send|use)", r"your ip\b", r"absender",
        r"exp[ée]diteur", r"remitente", r"mittente", r"отправител", r"送信者", r"差出人", r"送信元", r"发件人", r"发信人",
        r"寄件", r"nadawc",
    )),
    (Reason.FULL, (
        r"quota",
        r"(?:mail ?box|inbox|mail ?folder|mail ?drop|maildir|account|user|recipient)\S*(?: '?s)?(?: \S+){0,6} (?:is |are |"
        r"was )?(?:full|exceed|overfull|over the|over its|out of)",
        r"full mail ?box", r"\bfull\b.{0,20}(?:mail ?box|inbox)",
        r"exceed\w*(?: \S+){0,4} (?:storage|space|disk|allocat|capacity|mailbox size|size limit for)",
        r"(?:insufficient|not enough|no|out of|lack of|low on)(?: \S+){0,3} (?:storage|space|disk)", r"disk (?:is )?full",
        r"file system full", r"too many (?:messages|mails) (?:in|on)(?! \w+ (?:connection|session))",
        r"storage (?:limit|allocation|capacity)", r"mailbox size limit", r"would exceed", r"voll\b", r"überfüllt", r"ueberfuellt",
        r"speicherplatz", r"zu ?viele mails", r"pleine", r"satur[ée]e", r"dépass", r"llen[ao]\b", r"excedid", r"sin espacio",
        r"pien[ao]\b", r"spazio esaurito", r"cheia", r"lotad", r"переполнен", r"превышен", r"нет места",
        r"容量", r"満杯", r"いっぱい", r"一杯", r"已满", r"空间不足", r"超出", r"容量已", r"přeplněn", r"przepełnion",
        r"przekroczon", r"vol\b.{0,10}postvak",
    )),
    (Reason.TOO_LARGE, (
        r"(?:message|mail|e-?mail|size|data|body|header|content|attachment)\S*(?: \S+){0,5} (?:too (?:large|big|long)|exceed\w*)",
        r"too (?:large|big) (?:message|mail)", r"exceed\w*(?: \S+){0,5} (?:message|mail) size", r"size limit",
        r"maximum (?:message|size)", r"max message size", r"fixed limit", r"too large", r"too big", r"zu gro(?:ß|ss)",
        r"trop (?:gros|volumineux|long)", r"demasiado grande", r"слишком больш", r"サイズ", r"过大", r"太大",
    )),
    (Reason.RATE, (
        r"rate[- ]?(?:limit|control|exceed)", r"limit\w* (?:the )?rate", r"rate that", r"frequency limited", r"connection frequency",
        r"(?:ip|sending) frequency", r"throttl",
        r"too (?:many|much) (?:connection|session|message|mail|recipient|e-?mail|error|failed|invalid|unknown|bad|concurrent|"
        r"spam|load)",
        r"too (?:quickly|fast|busy)", r"grey-?list", r"gray-?list", r"greylisted", r"postgrey", r"try (?:again )?later",
        r"try again in", r"please retry", r"retry later", r"come back later", r"later again", r"temporar(?:y|ily)",
        r"host not found,? try again", r"(?:daily|hourly|sending|message|connection|recipient)s? (?:limit|quota)", r"limit exceeded",
        r"exceeded? (?:the |your )?(?:limit|maximum)", r"unusual (?:rate|traffic|volume)", r"deferr(?:ed|al)",
        r"resources? temporarily", r"resources? (?:un|not )available", r"system resources", r"service (?:is )?(?:un|not )available",
        r"service currently", r"4\.7\.\d+ \[", r"\[ts\d\d\]", r"vor(?:ü|ue)bergehend", r"temporairement", r"temporalmente",
        r"временно", r"попробуйте позже", r"しばらく", r"一時的", r"暂时", r"稍后", r"频率", r"请稍",
    )),
    (Reason.BLOCKED, (
        r"black-?list", r"block-?list", r"blocklist", r"deny ?list", r"\bdnsbl\b", r"\brbl\b", r"\bsbl\b", r"\bxbl\b", r"\bpbl\b",
        r"spamhaus", r"spamcop", r"barracudacentral", r"sorbs", r"uceprotect", r"cloudmark", r"senderbase", r"senderscore", r"surbl",
        r"uribl", r"invaluement", r"abuseat", r"proofpoint\.com", r"trendmicro", r"reputation", r"block(?:ed|ing)?\b",
        r"(?<!not )\blisted (?:in|on|at|by)", r"banned",
        r"\b(?:ip|ips|client host|network|connection)\b(?: \S+){0,4} (?:reject|refus(?!ed$)|denied|prohibit|not allowed|"
        r"not welcome)",
        r"dynamic(?:ally)? ?(?:ip|assigned|address)", r"dial-?up", r"residential", r"generic (?:rdns|hostname)",
        r"access denied[.,]? ip name", r"\bpoor\b", r"abus(?:e|ive)", r"gesperrt", r"blockiert", r"geblockt", r"bloqu",
        r"заблокирован", r"чёрн", r"черн\w+ списк", r"ブロック", r"拒否リスト", r"黑名单", r"拉黑",
        r"被拒收", r"信誉",
    )),
    (Reason.CONTENT, (
        r"spam", r"junk", r"\bube\b", r"\buce\b", r"unsolicited", r"unwanted", r"bulk ?mail", r"mass mail", r"virus", r"malware",
        r"trojan", r"phish", r"infected", r"suspicious", r"malicious", r"dangerous",
        r"(?:reject|refus|block|filter)\w*(?: \S+){0,4} (?:content|message content|attachment|filter)", r"attachment",
        r"content (?:filter|polic|restrict|scan|reject|block|den)", r"\bfilter(?:ed|ing)?\b", r"\brfc ?\d{3,4}\b", r"compliant",
        r"malformed", r"non-?conform", r"bare lf", r"line too long", r"8-?bit", r"illegal characters", r"charset", r"werbung",
        r"unerwünscht", r"ind[ée]sirable", r"pourriel", r"correo no deseado", r"basura", r"спам", r"подозрит",
        r"迷惑メール", r"スパム", r"ウイルス", r"垃圾", r"病毒", r"内容", r"antyspam",
    )),
    (Reason.RELAY, (
        r"relay(?:ing)?(?: \S+){0,2} (?:denied|prohibited|not|forbidden|rejected|restricted)",
        r"(?:unable to|not|no|cannot|don't|won't|never|open|attempted?|refus\w+ to|permitted to|"
        r"allowed to)(?: \S+){0,3} relay(?:ing)?\b(?! recipient)",
        r"rcpthosts", r"not (?:a )?(?:local|gateway) (?:domain|host|recipient domain)",
        r"we do(?:n't| not) (?:accept mail for|handle|host|serve)", r"not (?:our|a) customer", r"do not service",
        r"mail for .{1,80} loops", r"not permitted to route", r"中继", r"转发",
    )),
    (Reason.RESTRICTED, (
        r"resolver\.rst", r"delivery restriction", r"受信拒否", r"指定受信", r"拒绝接收", r"白名单",
    )),
    (Reason.SUSPENDED, (
        r"suspend", r"disabled", r"inactiv", r"not active", r"not activated", r"deactivat", r"inaktiv", r"\block(?:ed|out)\b",
        r"on hold", r"\bfrozen\b", r"(?:account|mailbox) (?:has |is |was )?(?:been )?expired",
        r"account (?:that you tried to reach )?is (?:over|currently)", r"currently (?:not available|unavailable)", r"not currently",
        r"temporarily (?:disabled|unavailable)", r"not accepting (?:any )?(?:mail|messages|e-?mail)", r"unpaid", r"overdue",
        r"deaktiviert", r"désactiv", r"desactivad", r"inactiv[oa]", r"disattiv", r"bloccat", r"неактив", r"отключен",
        r"приостановлен", r"停止", r"休止", r"停用", r"冻结", r"禁用", r"锁定", r"未激活", r"过期", r"nieaktywn",
        r"zablokowan",
    )),
    (Reason.UNKNOWN, (
        r"\b(?:user|usr|recipient|account|mail ?box|address(?:ee)?|alias|e-?mail|login|person|user ?name|local ?part|maildrop|"
        r"member|subscriber|destination|dest|customer|employee|rcpt|recip)(?:s|es|id|name|'s)?\W*(?: \S+){0,4}? ?(?:is |was |"
        r"are |has |have )?(?:been )?(?:an? )?(?:currently )?(?:unknown|not known|not (?:be )?found|non-?exist\w*|not exist\w*|"
        r"does ?n[o']t exist|do(?:es)? not exist|doesnt exist|not listed|not (?:a )?valid|not recogni[sz]ed|not registered|"
        r"unrecogni[sz]ed|unlisted|unrout\w+|undeliverable)",
        r"\b(?:user|recipient|account|mail ?box|address|alias|e-?mail|name)s?\W*(?: \S+)? (?:is |was |has |"
        r"have )?(?:been )?(?:no longer|deleted|removed|terminated|closed|cancel\w*|discontinued|invalid|illegal|incorrect|"
        r"undefined|not here|wrong)",
        r"\b(?:unknown|no such|invalid|non-?exist\w*|bad|illegal|unrecogni[sz]ed|not a (?:known|valid|local|registered)|"
        r"undefined|incorrect|wrong|unroute?able|no valid|can(?:'t|not) find|could ?n[o']t find|could not find|unable to find|"
        r"never heard of|no)(?: \S+){0,2} (?:user\w*|recipient\w*|account\w*|mail ?box\w*|mail-?drop|address\w*|alias\w*|"
        r"local ?part|person\w*|rcpt|login|destination|member|subscriber|addressee|directory entry|match(?: in| for)|entry)\b",
        r"user ?unknown", r"unknown ?user", r"userid unknown", r"recipient ?unknown", r"no such user", r"recipnotfound",
        r"adr\.(?:ex|in)?recip(?:ient)?not", r"user ?not ?found", r"recipient ?not ?found", r"adr\.(?:badprimary|invalid)",
        r"bad ?rcpt", r"badrcptto", r"bad address", r"address_not_found", r"no_such_user", r"nosuchuser", r"invalid-recipient",
        r"user_unknown", r"does(?:n't| not|nt)(?: \S+){0,3} (?:exist|have (?:an? )?(?:account|mailbox)|have an? \S+ account)",
        r"dosn't exist", r"not exists?\b",
        r"no longer (?:exist|employed|an employee|with|on server|valid|in use|works?|available|here|at)",
        r"this user doesn'?t have an? \S+ account",
        r"is not (?:a )?(?:known|valid|recogni[sz]ed|registered|a user|an active address|exist)", r"not our user",
        r"isn'?t a (?:valid|known)", r"no mailbox (?:here|by that name|found)", r"no one (?:by|with) that",
        r"nobody (?:here )?(?:by|with) that", r"no account by that",
        r"recipient address rejected: (?:access denied|undeliverable|unverified|user|unknown|invalid|address|no )",
        r"recipient(?: address)? rejected\s*(?:\(|$)", r"#?5\.1\.[01]:? (?:<[^>]*> ?)?(?:\S+ )?address rejected",
        r"rejected: (?:user|recipient|address|no such)", r"address lookup fail", r"verification failed for", r"verify recipient",
        r"recipient verif", r"recipient (?:does not|failed)",
        r"unable to (?:verify|validate|deliver to|lookup)(?: \S+){0,2} (?:recipient|address|user)",
        r"(?:requested )?(?:mail )?action not taken: mailbox (?:un|not )available",
        r"mailbox (?:name )?(?:not (?:allowed|available|found)|unavailable)\b", r"mailbox for .{1,80} does not", r"no mail ?box",
        r"undeliverable address", r"unrouteable address", r"unroutable address", r"does not like recipient",
        r"doesn'?t like recipient", r"not listed in (?:domino|public|\w+'s) (?:directory|name)",
        r"in (?:virtual|relay|local) (?:mailbox|alias|recipient) table",
        r"not found (?:in|on) (?:\S+ ){0,3}(?:server|directory|system)", r"invalid (?:recipient|mailbox|user)",
        r"rcpt to:?.{0,60}(?:unknown|invalid|failed)", r"couldn'?t be found", r"wasn'?t found", r"was not found at",
        r"could not be found", r"cannot be found", r"can'?t be found", r"address (?:was )?not found", r"no existe", r"inexist",
        r"address error", r"gone away", r"is gone", r"left the (?:company|organi[sz]ation)", r"unbekannt", r"existiert nicht",
        r"nicht (?:gefunden|vorhanden|bekannt|registriert)", r"unzustellbar.{0,40}adresse", r"keine mailbox",
        r"ungültige (?:adresse|empf)", r"kein(?:en)? (?:benutzer|empfänger|postfach|solch)", r"inconnue?", r"n'existe pas",
        r"introuvable", r"n'a pas été trouv", r"invalide\b", r"n'est pas valide", r"desconocid",
        r"no (?:se (?:ha )?(?:encontr|pudo encontrar))", r"no válid", r"usuario no", r"destinatario no", r"sconosciut",
        r"non (?:esiste|è valido|trovato)", r"errato", r"desconhecid", r"não (?:existe|encontrad|foi encontrad)", r"inválid",
        r"onbekend", r"bestaat niet", r"niet gevonden", r"nie istnieje", r"nie ma takiego", r"nieznan", r"nieprawidłow",
        r"не (?:существует|найден|известен|зарегистрирован)", r"неизвест",
        r"несуществ", r"такого (?:пользователя|ящика|адреса)", r"нет такого",
        r"недействительн", r"адрес не", r"okänd", r"finns inte", r"ukendt", r"findes ikke", r"ukjent",
        r"tuntematon", r"ei löydy", r"neexistuje", r"neznám", r"nenalezen", r"存在しない", r"見つかりません", r"見つからない",
        r"宛先不明", r"不明なユーザ", r"あて先", r"宛先.{0,20}(?:不明|誤|正しく)", r"ユーザ.{0,10}(?:いません|存在|不明)",
        r"メールアドレスが", r"不存在", r"无效", r"找不到", r"没有找到", r"未找到", r"無效", r"查無", r"未注册", r"无此",
        r"非法(?:用户|邮箱|收件)", r"错误的?(?:邮箱|地址|收件)", r"地址有误", r"존재하지", r"찾을 수 없",
        r"없는 (?:계정|사용자|주소)", r"bulunamad", r"mevcut değil", r"bilinmeyen", r"tồn tại", r"không tìm thấy",
        r"tidak (?:ada|ditemukan)", r"ไม่พบ", r"ไม่มี",
    )),
    (Reason.RESTRICTED, (
        r"not ?author", r"authoriz", r"authoris", r"permission", r"only accepts?",
        r"accept(?:s|ing)? (?:mail|messages) (?:only )?from", r"restricted", r"requires? (?:that )?(?:all )?sender", r"moderat",
        r"not accepting (?:mail|messages|e-?mail) from", r"members? only", r"not on the (?:allowed|safe|white)", r"white-?list",
        r"not subscribed", r"refuses? (?:mail|to accept)", r"nicht berechtigt", r"non autoris", r"no (?:está )?autorizad",
        r"受信拒否", r"指定受信", r"没有权限", r"拒绝接收", r"白名单",
    )),
    (Reason.POLICY, (
        r"polic(?:y|ies)", r"prohibit", r"administrative(?:ly)? (?:reason|block|refus|den|reject)",
        r"admin(?:istrator)? (?:reason|has)", r"violat", r"local (?:rule|reject)", r"access rule", r"rule imposed",
        r"transport\.rules", r"transport rule", r"security (?:reason|polic|setting)", r"\btls\b", r"encryption (?:is )?required",
        r"starttls", r"certificate", r"geo", r"country", r"\bcharge", r"challenge", r"verify that you", r"confirm your",
        r"not (?:willing|interested)", r"richtlinie", r"политик", r"правил", r"ポリシー", r"策略",
    )),
    (Reason.CONTENT, (
        r"\b(?:message|mail|e-?mail|content|body|header|subject|url|link|transaction)\b(?: \S+){0,4} (?:reject|refus|denied|"
        r"not accept|prohibit|not allowed|violat|discard|forbidden|not permitted|deemed|scored|looks)",
    )),
    (Reason.MOVED, (
        r"(?:has|have) moved", r"moved to", r"user not local", r"new (?:e-?mail )?address",
        r"changed (?:his|her|their|my) (?:e-?mail )?address", r"address (?:has )?changed", r"unzustellbar.{0,20}umzug",
        r"アドレス.{0,6}変更", r"更改了?邮",
    )),
    (Reason.NETWORK, (
        r"host (?:or domain name )?not found,? try again", r"try again\b", r"timed? ?out", r"time-?out", r"timeout",
        r"connection (?:refused|reset|lost|dropped|closed|died|failed|could not)", r"refused connection",
        r"could(?:n't| not) connect", r"cannot connect", r"unable to connect", r"can't connect", r"lost connection", r"broken pipe",
        r"no route to", r"unreachable", r"not (?:reachable|responding)", r"didn't respond", r"no (?:answer|response)",
        r"no response from", r"retry (?:time|timeout|limit)", r"too long", r"been (?:in|on) the queue",
        r"queue (?:too|life|expired)", r"expired", r"lifetime", r"has not been able",
        r"unable to deliver (?:this|the|your) message (?:for|after)", r"could not be delivered (?:for|within|after)", r"giving up",
        r"warning", r"not yet been delivered", r"still being retried", r"(?:temporary|transient) (?:fail|lookup|error|resol|dns)",
        r"lookup failure", r"servfail", r"dns (?:error|query|server|fail|timeout|temporary)",
        r"name server: .{0,80}: (?:temporary|host name lookup)", r"loop", r"too many hops", r"hop count", r"routing",
        r"not accepting network messages", r"network error", r"smtp; 4\d\d", r"protocol error", r"handshake",
        r"zeit(?:ü|ue)berschreitung", r"délai", r"tiempo de espera", r"время ожидания", r"истек",
        r"タイムアウト", r"期限", r"超时", r"超過時間", r"连接",
    )),
    (Reason.NO_HOST, (
        r"host (?:is )?unknown", r"unknown host", r"hostname? (?:is )?(?:unknown|invalid)", r"no such (?:host|domain)",
        r"(?:host|domain)(?: or domain)?(?: name)?(?: \S+){0,4} (?:not (?:be )?found|does(?:n't| not) exist|is (?:invalid|"
        r"not valid|unknown|non-?existent)|unknown|non-?existent|couldn'?t be found)",
        r"unknown (?:mail )?(?:domain|host)",
        r"(?:invalid|bad|illegal|non-?existent|unrouteable|unroutable|misspelled) (?:mail |destination |recipient )?(?:domain|"
        r"host)",
        r"nxdomain", r"no (?:mx|a|mail exchanger)(?: \S+){0,4} (?:record|found|for)", r"could(?:n't| not) find any host",
        r"couldn't find a mail exchanger", r"name or service not known", r"no mail (?:server|exchanger)", r"null ?mx",
        r"does not (?:accept|receive) (?:e-?)?mail", r"domain (?:has )?no mail", r"all relevant mx records", r"mx records point",
        r"destination (?:host|domain|system)(?: \S+){0,3} (?:unknown|not found|invalid)", r"550 5\.1\.2",
        r"name service error .{0,120}host not found", r"domain (?:unbekannt|existiert nicht)", r"ドメイン.{0,12}(?:存在|見つ)",
        r"域名.{0,8}(?:不存在|错误|无效)",
    )),
    (Reason.SYSTEM, (
        r"(?:local|internal|server|system|software|i/o|configuration|database|mailer|processing|unknown|unexpected) (?:error|"
        r"fail)",
        r"cannot (?:open|create|write|exec)", r"can't (?:create|open)", r"exit status", r"command (?:died|not recogni)",
        r"unrecogni[sz]ed command", r"syntax error", r"not implemented", r"command not", r"bad sequence", r"mail system",
        r"misconfigur", r"malfunction", r"out of memory", r"transaction failed", r"aborted",
    )),
)  # fmt: skip

ROWS: tuple[tuple[Reason, re.Pattern[str]], ...] = tuple((reason, re.compile("|".join(said))) for reason, said in _ROWS)
