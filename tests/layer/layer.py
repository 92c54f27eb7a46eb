#!/usr/bin/env python3
"""layer.py SOURCE BUILD: proves the walls of the house; prints each breach with its place.

  includes   who may include whom, by room
  calls      nm -u of each pure room against its allow-list
  data       no writable file-scope data in a pure room
  length     files of at most 1,000 lines, functions of at most 120 (ratchet.txt holds the old giants)
  documents  what is generated is up to date

layer.py --update SOURCE BUILD: writes the generated documents anew.
layer.py --self-test: makes each check fire on a small tree made for it.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import walls  # noqa: E402

FILE_LINES_MAX = 1000
FUNCTION_LINES_MAX = 120
BREACHES_SHOWN = 40


def sources(root):
    for room, (wing, _, _) in walls.ROOMS.items():
        folder = os.path.join(root, wing, room)
        for here, folders, files in os.walk(folder):
            folders[:] = [f for f in folders if f != "clients"]
            for name in sorted(files):
                if name.endswith((".c", ".h", ".cc")):
                    yield room, os.path.join(here, name)


def check_includes(root):
    for room, path in sources(root):
        _, _, allowed = walls.ROOMS[room]
        with open(path, encoding="utf-8") as f:
            for number, line in enumerate(f, 1):
                m = re.match(r'\s*#\s*include\s+"([^"]+)"', line)
                if not m or "/" not in m[1]:
                    continue
                other = m[1].split("/")[0]
                where = f"{os.path.relpath(path, root)}:{number}"
                if other not in walls.ROOMS:
                    continue
                if other != room and other not in allowed:
                    yield f"{where}: {room} may not include {other} ({m[1]})"
                elif (room in walls.MEETING_ROOMS and other == "catalogue"
                      and m[1] not in walls.MEETING_HEADERS):
                    yield f"{where}: {room} meets the control plane only in " \
                          f"{', '.join(sorted(walls.MEETING_HEADERS))}"


def symbols(archive):
    out = subprocess.run(["nm", "-A", archive], capture_output=True, text=True, check=True).stdout
    for line in out.splitlines():
        m = re.match(r"\S+?:([^:]+):\s*[0-9a-f]*\s+(\w) (\S+)", line)
        if m:
            yield m[1], m[2], m[3]


def archives(build):
    found = {}
    for here, _, files in os.walk(build):
        for name in files:
            m = re.fullmatch(r"libwrit_(\w+)\.a", name)
            if m:
                found[m[1]] = os.path.join(here, name)
    return found


def pattern(text):
    return re.compile("(?:" + "|".join(text.split()) + ")")


def check_calls(build):
    libs = archives(build)
    defined = {room: {s for _, t, s in symbols(lib) if t in "TRDBWV"} for room, lib in libs.items()}
    common = pattern(walls.PURE_CALLS)
    for room, lib in sorted(libs.items()):
        if room not in walls.ROOMS or not walls.ROOMS[room][1]:
            continue
        own = pattern(walls.ROOM_CALLS.get(room, "$^"))
        reachable, todo = {room}, [room]
        while todo:
            for other in walls.ROOMS[todo.pop()][2]:
                if other not in reachable:
                    reachable.add(other)
                    todo.append(other)
        known = set().union(*(defined.get(r, set()) for r in reachable))
        for obj, kind, symbol in symbols(lib):
            if kind != "U" or symbol in known:
                continue
            bare = symbol.split("@")[0]
            if not common.fullmatch(bare) and not own.fullmatch(bare):
                yield f"{room}/{obj}: a pure room may not call {bare}"


def check_data(build):
    for room, lib in sorted(archives(build).items()):
        if room not in walls.ROOMS or not walls.ROOMS[room][1]:
            continue
        allowed = walls.ROOM_DATA.get(room, set())
        out = subprocess.run(["objdump", "-t", lib], capture_output=True, text=True,
                             check=True).stdout
        obj = "?"
        for line in out.splitlines():
            if ": " in line and "file format" in line:
                obj = line.split(":")[0]
            # .data.rel.ro holds constants with addresses: the loader makes it read-only.
            m = re.match(r"[0-9a-f]+ .{7} (\.data|\.bss|\.tdata|\.tbss|\*COM\*)(\.(?!rel\.ro)\S+)?"
                         r"\s+[0-9a-f]+ (\S+)$", line)
            if not m or m[3].startswith(".") or m[3].startswith("__"):
                continue
            if m[3].split(".")[0] not in allowed:
                yield f"{room}/{obj}: writable file-scope data: {m[3]}"


def functions(path):
    """(name, first line, lines) of each function: the body's braces stand in column 0."""
    with open(path, encoding="utf-8") as f:
        lines = f.read().split("\n")
    start = name = None
    for number, line in enumerate(lines, 1):
        if line == "{" and start is None and number > 1 and "(" in "".join(lines[max(0, number - 8):number - 1]):
            head = " ".join(lines[max(0, number - 8):number - 1])
            names = re.findall(r"(\w+)\s*\(", head.rsplit("}", 1)[-1].rsplit(";", 1)[-1])
            start, name = number, names[0] if names else "?"
        elif line.startswith("}") and start is not None:
            yield name, start, number - start - 1
            start = None


def check_length(root):
    ratchet = {}
    listed = os.path.join(root, "tests", "layer", "ratchet.txt")
    if os.path.exists(listed):
        with open(listed, encoding="utf-8") as f:
            for line in f:
                if line.strip() and not line.startswith("#"):
                    what, n = line.split()
                    ratchet[what] = int(n)
    for _, path in sources(root):
        where = os.path.relpath(path, root)
        with open(path, encoding="utf-8") as f:
            n = sum(1 for _ in f)
        if n > max(FILE_LINES_MAX, ratchet.get(where, 0)):
            yield f"{where}: {n} lines (at most {FILE_LINES_MAX})"
        for name, line, length in functions(path):
            limit = max(FUNCTION_LINES_MAX, ratchet.get(f"{where}:{name}", 0))
            if length > limit:
                yield f"{where}:{line}: {name} has {length} lines (at most {limit})"


# (document, generator target in the build folder): the document holds the generator's output, whole
# or between the two marker lines "<!-- generated -->" and "<!-- end of generated -->".
def generated(build):
    listed = os.path.join(build, "generated-documents.txt")
    if os.path.exists(listed):
        with open(listed, encoding="utf-8") as f:
            for line in f:
                document, *command = line.split()
                yield document, command


def check_documents(root, build):
    for document, command in generated(build):
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        with open(os.path.join(root, document), encoding="utf-8") as f:
            text = f.read()
        m = GENERATED.search(text)
        if (m[2] if m else text).strip() != out.strip():
            yield f"{document}: not up to date; run: {' '.join(command)}"


GENERATED = re.compile(r"(<!-- generated[^>]*-->\n)(.*?)(<!-- end of generated -->)", re.S)


def update(root, build):
    for document, command in generated(build):
        out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        path = os.path.join(root, document)
        text = open(path, encoding="utf-8").read() if os.path.exists(path) else ""
        new = GENERATED.sub(lambda m: m[1] + out.rstrip() + "\n" + m[3], text, count=1) \
            if GENERATED.search(text) else out
        if new != text:
            with open(path, "w", encoding="utf-8") as f:
                f.write(new)
            print(f"updated {document}")


def run(root, build):
    checks = [("includes", check_includes(root)), ("calls", check_calls(build)),
              ("data", check_data(build)), ("length", check_length(root)),
              ("documents", check_documents(root, build))]
    failed = 0
    for name, breaches in checks:
        found = list(breaches)
        for breach in found[:BREACHES_SHOWN]:
            print(f"  {breach}")
        if len(found) > BREACHES_SHOWN:
            print(f"  and {len(found) - BREACHES_SHOWN} more")
        print(f"{'FAIL' if found else 'ok  '} {name}")
        failed += bool(found)
    print(f"{len(checks) - failed} passed, {failed} failed")
    return failed


def self_test():
    def put(root, path, text):
        full = os.path.join(root, path)
        os.makedirs(os.path.dirname(full), exist_ok=True)
        with open(full, "w", encoding="utf-8") as f:
            f.write(text)
        return full

    with tempfile.TemporaryDirectory() as t:
        put(t, "governance/base/up.c", '#include "broker/broker.h"\n')
        put(t, "node/admit/meet.c", '#include "catalogue/catalogue.h"\n')
        put(t, "node/wire/long.c", "int f(void)\n{\n" + "    ;\n" * 121 + "}\n" + "//\n" * 900)
        source = put(t, "bad.c", "#include <stdio.h>\nint counter;\nvoid f(void) { counter++; puts(\"x\"); }\n")
        subprocess.run(["cc", "-c", source, "-o", f"{t}/bad.o"], check=True)
        os.makedirs(f"{t}/build")
        subprocess.run(["ar", "rc", f"{t}/build/libwrit_wire.a", f"{t}/bad.o"], check=True)
        put(t, "doc.md", "old\n")
        put(t, "build/generated-documents.txt", "doc.md echo new\n")
        build = f"{t}/build"
        wanted = {
            "includes": (list(check_includes(t)), 2), "calls": (list(check_calls(build)), 1),
            "data": (list(check_data(build)), 1), "length": (list(check_length(t)), 2),
            "documents": (list(check_documents(t, build)), 1),
        }
    failed = 0
    for name, (found, n) in wanted.items():
        if len(found) != n:
            print(f"{name}: {len(found)} breaches found, {n} planted: {found}")
            failed += 1
    print(f"{len(wanted) - failed} passed, {failed} failed")
    return failed


if __name__ == "__main__":
    if sys.argv[1:] == ["--self-test"]:
        sys.exit(1 if self_test() else 0)
    if len(sys.argv) == 4 and sys.argv[1] == "--update":
        update(sys.argv[2], sys.argv[3])
        sys.exit(0)
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(1 if run(sys.argv[1], sys.argv[2]) else 0)
