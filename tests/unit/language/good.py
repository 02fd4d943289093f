"""A journey that uses every verb that can be walked, to be read, drawn, published and spoilt."""

GOOD = """\
# A journey of everything.
journey: everything
owner: lifecycle@shop.example
purpose: marketing
priority: 60
description: >
  Uses each verb once: "quotes", #hashes and <angles>
  over several lines.
enter:
  on: Product Added
  if: event.price >= 20 and not did("Order Completed", within="1h")
  key: event.cart_id
  again_after: 7d
  while_running: restart
leave:
  - {on: Order Completed, as: purchased}
  - {on: Cart Emptied, if: event.cart_id == "x", as: cart_emptied}
goal: {on: Order Completed, within: 7d, value: event.revenue}
holdout: 10%
send_between: 09:00-20:00
steps:
  - wait: 1h
    reset_on: Product Added
  - score: rfm
  - if: score.rfm >= 0.8
    then:
      - end: left_alone
  - send: cart_reminder
    id: reminder
    with: {discount_percent: 10, codes: [on, no, 1.5, true, ~]}
    variants: {plain: 50, playful: 50}
    choose: experiment
    horizon: 6w
    reward: reminder.clicked within 48h
  - wait_for: reminder.clicked
    up_to: 24h
    then:
      - wait_until: "tue 09:00"
      - end: browsed
    else:
      - choose:
          - if: segment.high_value
            then: [send: cart_offer]
          - then: [wait: 1d 6h]
      - split: {short: 1, long: 3}
        id: length
        arms:
          long: [wait_until: 21:00]
      - set: {last_asked: now, tries: 2}
  - wait_for:
      - on: Product Viewed
        if: event.category == "shoes"
        then: [enter: onboarding]
      - {on: Product Added}
    up_to: 2d
    since: arrival
examples:
  - name: bought at once
    given: {event.price: 30, score.rfm: 0.2}
    events: {30m: Order Completed, 2h: [Product Viewed, {event: Product Added, properties: {price: 3}}]}
    expect: [purchased]
  - name: clicked
    events: {2h: reminder.clicked}
    expect: [send cart_reminder, browsed]
  - name: silent
    expect: [send cart_reminder, send cart_offer, completed]
"""
