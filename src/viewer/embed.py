#!/usr/bin/env python3
"""Turn the page's files into a C header: embed.py INPUT... OUTPUT

Each file is served under its own name, index.html as "/", without its indentation and the comments
that have lines of their own, a fifth of its bytes. Its ETag is a hash of its content, so that a
browser revalidates for nothing until an update changes the file.
"""

import hashlib
import pathlib
import re
import sys

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}

STRUCT = """\
/* The page; made by embed.py from the files of src/viewer. */
#ifndef FANLIGHT_VIEWER_H
#define FANLIGHT_VIEWER_H

#include <stddef.h>

struct viewer_asset {
	const char *path; /* of the URL */
	const char *type; /* Content-Type */
	const char *etag; /* with its quotes */
	const unsigned char *data;
	size_t size;
};
"""


def slim(text):
    text = re.sub(r"^[ \t]+", "", text, flags=re.M)
    text = re.sub(r"^(//[^\n]*|/\*((?!\*/).)*\*/)$", "", text, flags=re.M | re.S)
    return re.sub(r"\n+", "\n", text)


def bytes_array(name, content):
    rows = (content[i : i + 16] for i in range(0, len(content), 16))
    lines = "".join("\t" + ", ".join(f"0x{b:02x}" for b in row) + ",\n" for row in rows)
    return f"\nstatic const unsigned char {name}[] = {{\n{lines}}};\n"


def header(files):
    arrays, rows = "", ""
    for i, file in enumerate(files):
        content = slim(file.read_text(encoding="utf-8")).encode()
        path = "/" if file.name == "index.html" else "/" + file.name
        etag = hashlib.sha256(content).hexdigest()[:16]
        arrays += bytes_array(f"viewer_data_{i}", content)
        rows += f'\t{{"{path}", "{TYPES[file.suffix]}", "\\"{etag}\\"",\n'
        rows += f"\t\tviewer_data_{i}, sizeof viewer_data_{i}}},\n"
    return (
        f"{STRUCT}\n#define VIEWER_ASSETS {len(files)}\n{arrays}"
        f"\nstatic const struct viewer_asset viewer_assets[VIEWER_ASSETS] = {{\n{rows}}};\n"
        "\n#endif\n"
    )


def main():
    *inputs, output = map(pathlib.Path, sys.argv[1:])
    output.write_text(header(inputs), encoding="utf-8")


if __name__ == "__main__":
    main()
