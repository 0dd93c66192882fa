"""Recognises files that editors and file managers leave beside those that a person edits.

They come and go while somebody types, hold no version that was saved, and may be links that lead
nowhere, so nothing here ships, watches or hashes them.
"""

import re
from fnmatch import translate

_PATTERNS = (
    # Emacs: lock (a link), autosave, backup; also flycheck's and flymake's copies
    *(".#*", "#*#", "*~", "flycheck_*", "*_flymake.*"),
    # Vim: swap, undo; nano and Kate: swap, emergency save
    *(".*.sw[a-z]", "*.swp", "*.kate-swp", "*.save", "*.save.[0-9]*"),
    # JetBrains, VS Code and its local history, Sublime, Kakoune, Helix, gedit, Zed and others
    *("*___jb_tmp___", "*___jb_old___", "*___jb_bak___", ".idea"),
    *(".vscode", ".history", "*.vsctmp", ".subl*.tmp", ".*.kak.*", "*.bck"),
    *(".goutputstream-*", ".tmp*", "*.tmp", ".~lock.*", "~$*"),
    # macOS, Windows, KDE, and files that were deleted while they are open (NFS, FUSE)
    *(".DS_Store", "._*", ".AppleDouble", "Thumbs.db", "desktop.ini", "*:Zone.Identifier"),
    *(".directory", ".nfs*", ".fuse_hidden*"),
)
# Vim tests whether it may create a file with 4913, then adds 123 until the name is free.
_VIM_PROBES = map(str, range(4913, 6144, 123))
_NAMES = re.compile("|".join([*map(translate, _PATTERNS), *_VIM_PROBES]))


def is_editor_file(name: str) -> bool:
    """Return whether a file or directory of that name is an editor's or a file manager's own."""
    return _NAMES.fullmatch(name) is not None
