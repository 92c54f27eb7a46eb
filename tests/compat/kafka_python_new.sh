#!/bin/sh
# kafka_python_new.sh BUILD WIRE_RECODE HOST:PORT: the comparison and the round trip with kafka-python 3
# from PyPI, which reads Kafka's own message definitions and so knows every version. For .ci/run.
set -eu
build=$(mkdir -p "$1" && cd "$1" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
python=$build/kafka-python/bin/python
if [ ! -e "$build/kafka-python/done" ]; then
    python3 -m venv "$build/kafka-python"
    "$build/kafka-python/bin/pip" install -q kafka-python==3.0.12 python-snappy lz4 zstandard crc32c
    touch "$build/kafka-python/done"
fi
"$python" "$here/wire_kafka_python.py" "$2"
"$python" "$here/kafka_python_roundtrip.py" "$3"
