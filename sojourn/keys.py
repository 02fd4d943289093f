"""The keys that Sojourn makes for itself where none are given, kept in the data folder for its owner alone."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from sojourn.errors import SettingsError

FILE = "keys.json"
_NAMES = ("secret_key", "write_key", "admin_token")


def kept_keys(data_dir: Path) -> dict[str, str]:
    """Return the data folder's keys by setting name, made at the first call.

    Raises:
        SettingsError: the folder cannot be written, or the file is not what was written there.
    """
    path = data_dir / FILE
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        path.chmod(0o600)  # a copied or restored folder may have lost it
        keys = json.loads(path.read_text())
    except OSError as error:
        raise SettingsError(f"{path} cannot be written or read ({error.strerror}); set SOJOURN_DATA_DIR to a folder of yours") from None
    except ValueError:
        keys = None
    if not isinstance(keys, dict) or not all(isinstance(keys.get(name), str) and keys[name] for name in _NAMES):
        raise SettingsError(f"{path} is damaged; restore it, or remove it to have new ones made (links in sent mails then stop working)")
    return {name: keys[name] for name in _NAMES}


def _make(path: Path) -> None:
    """Write new keys so that of several processes doing so at once all see the same, whole file."""
    keys = {"secret_key": secrets.token_hex(32), "write_key": secrets.token_urlsafe(18), "admin_token": secrets.token_urlsafe(24)}
    draft = path.with_name(f"{FILE}.{os.getpid()}.{secrets.token_hex(4)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        json.dump(keys, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)  # fails where another process was first
    except FileExistsError:
        pass
    finally:
        draft.unlink()
