#!/bin/sh
# librdkafka_new.sh BUILD: builds a new librdkafka (its source comes in an npm package) under
# BUILD/librdkafka once, and with it our two programs. `librdkafka_new.sh BUILD run HOST:PORT` then
# runs the round trip and those of librdkafka's own tests that need no consumer groups, against a node
# with governance off and four partitions by default. Needs npm, g++ and make: .ci/run.
set -eu
package=@confluentinc/kafka-javascript@1.10.1
build=$(mkdir -p "$1" && cd "$1" && pwd)/librdkafka
here=$(cd "$(dirname "$0")" && pwd)
source=$build/package/deps/librdkafka

# Left out: what needs groups, transactions or compaction, and (-L) what needs no broker at all.
tests="0001 0002 0003 0005 0007 0008 0012 0013 0016 0017 0021 0031 0034 0035 0036 0038 0041 0054 0057
       0070 0073 0075 0086 0088"

make_library()
{
    [ -e "$build/done" ] && return
    rm -rf "$build"
    mkdir -p "$build"
    cd "$build"
    npm pack --silent "$package" >/dev/null
    tar xzf ./*.tgz package/deps/librdkafka
    cd "$source"
    ./configure --disable-curl --disable-gssapi --disable-sasl --disable-lz4-ext >../configure-output 2>&1 || { tail ../configure-output; exit 1; }
    make -j"$(nproc)" libs >make.log 2>&1 || { tail make.log; exit 1; }
    make -j"$(nproc)" -C tests build >>make.log 2>&1 || { tail make.log; exit 1; }
    mkdir -p "$build/include/librdkafka"
    cp src/rdkafka.h "$build/include/librdkafka/"
    for program in rdkafka_roundtrip rdkafka_refusal; do
        cc -D_GNU_SOURCE -I"$build/include" "$here/$program.c" -o "$build/$program" \
            src/librdkafka.a -lm -lzstd -lssl -lcrypto -lz -ldl -lpthread -lrt
    done
    touch "$build/done"
}

run_tests()
{
    cd "$source/tests"
    printf 'bootstrap.servers=%s\ntest.topic.random=true\n' "$1" >test.conf
    LD_LIBRARY_PATH=../src:../src-cpp
    export LD_LIBRARY_PATH
    passed=0 failed=""
    for t in $tests; do
        if TESTS=$t timeout 120 ./test-runner -L -p1 >"$build/test-$t.log" 2>&1; then
            passed=$((passed + 1))
        else
            failed="$failed $t"
            grep -E 'failed|FAIL' "$build/test-$t.log" | head -n 3
        fi
    done
    echo "librdkafka's own tests: $passed passed, failed:${failed:- none}"
    [ -z "$failed" ]
}

make_library
if [ "${2:-}" = run ]; then
    "$build/rdkafka_roundtrip" "$3"
    run_tests "$3"
fi
