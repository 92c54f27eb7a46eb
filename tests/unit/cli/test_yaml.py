"""The YAML reader beside PyYAML: test_yaml.py PATH-OF-cli_yaml_to_json.

Where YAML 1.1 surprises (octal, sexagesimal, dates, 1_000), the reader refuses or keeps the text;
those are listed here by name and must not become a number behind somebody's back.
"""
import json
import random
import subprocess
import sys

try:
    import yaml
except ModuleNotFoundError:
    print("skipped: install python3-yaml")
    sys.exit(77)


def read(text):
    run = subprocess.run([sys.argv[1]], input=text.encode(), capture_output=True)
    if run.returncode != 0:
        return None
    return [json.loads(line) for line in run.stdout.decode().splitlines()]


SAME = """a b true True TRUE yes no on off On OFF null ~ 0 1 -1 +1 42 007x 1.5 -0.5 .5 5. 1.0e+3 -1.5e-3
0x1F 0xff -0x10 0b101 hello a-b a.b 7d 64KiB 10GiB 1.2.3 v1 'quoted' "with \\t tab" '' "\\u00e4"
"true" 'null' "12" [] {} [1,two,3.0] {a:1} {a: 1, b: [x, {c: d}]} nullable truely none
http://x:9192 # a@b 99999999999999999999 123456789012345678""".split()
count = 0
for scalar in SAME + ["a: b: c", "x # comment", "a b  c", "- 1\n- - 2\n  - three\n", "a: |\n  one\n   two\n",
                      "a: >\n  one\n  two\n\n  three\n", "a: |-\n  x\n", "? a\n: b\n", "a: &x 1\nb: *x\n",
                      "a: &x {b: [1, 2]}\nc: [*x, *x]\n", "---\na: 1\n---\nb: 2\n", "# only\n", "",
                      "---\n---\na: 1\n", "'it''s'", "\"a\\nb\"", "a:\n- b\n- c\n", "{a, b: }",
                      "[", "a: 'x", "\t- a", "a: 1\n b: 2\n", "*x", "%YAML 1.1\n---\na: 1\n"]:
    mine = read(scalar)
    try:
        theirs = [d for d in yaml.safe_load_all(scalar) if d is not None]
    except yaml.YAMLError:
        assert mine is None, f"{scalar!r}: PyYAML refuses, we read {mine}"
        count += 1
        continue
    assert mine == theirs, f"{scalar!r}: PyYAML reads {theirs}, we {mine}"
    count += 1

# Texts to us, whatever YAML 1.1 makes of them; and what is refused with a reason.
for scalar in ["2026-11-25", "2026-11-25T09:00:00Z", "12:30", "190:20:30", "1_000", "0o17x"]:
    assert read(f"a: {scalar}") == [{"a": scalar}], scalar
for scalar in ["010", "-007", "00", ".inf", "-.INF", ".nan", "0xFFFFFFFFFFFFFFFFFF", "!x y", "!!int '1'"]:
    assert read(f"a: {scalar}") is None, scalar
# libyaml does not tell a !!str that is written from one that is meant: quotes do.
assert read("a: !!str 12") == [{"a": 12}] and read("a: '12'") == [{"a": "12"}]
for text in ["a: 1\na: 2", "<<: {a: 1}", "? [a]\n: b", "&a [*a]"]:
    assert read(text) is None, text

# Documents of random shape, written by PyYAML in both styles, read back the same.
rng = random.Random(7)
TEXTS = ["", " ", "a", "true", "no", "1", "-", "- x", "a: b", "#", "x #y", "'", '"', "\\", "\n", "a\nb\n", "\t",
         "\u00e4\u20ac\U0001f600", "*a", "&a", "!t", "%", "@", "`", "|", ">", "{", "[", "]", ",", "?", "? x",
         "0x1", "1e3", "010", "2026-01-01", "null", "~", "=", "<<", " lead", "trail ", "very " * 40]


def value(depth):
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind == 6:
        return [value(depth + 1) for _ in range(rng.randrange(4))]
    if kind == 7:
        return {rng.choice(TEXTS): value(depth + 1) for _ in range(rng.randrange(4))}
    return [rng.choice(TEXTS), rng.choice(TEXTS), rng.randrange(-10**12, 10**12), rng.random() < 0.5, None,
            round(rng.random() * 100, 3)][kind]


for n in range(60):
    document = {"d": value(0)}
    for style in (False, True):
        text = yaml.safe_dump(document, default_flow_style=style, allow_unicode=n % 2 == 0)
        assert read(text) == [document], text
        count += 1
print(f"{count} comparisons")
assert count > 150
