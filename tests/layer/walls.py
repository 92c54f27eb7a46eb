"""The house as data: which rooms there are, what each may include, and what a pure room may call.

Change a wall here only together with docs/architecture.md and the reason for it.
"""

# room -> (wing, pure, rooms whose headers it may include)
ROOMS = {
    "base": ("governance", True, []),
    "json": ("governance", True, ["base"]),
    "schema": ("governance", True, ["base", "json"]),
    "sign": ("governance", True, ["base"]),
    "policy": ("governance", True, ["base", "schema", "sign"]),
    "audit": ("governance", True, ["base"]),
    "catalogue": ("controlplane", True, ["base", "schema", "sign", "policy", "audit"]),
    "raft": ("controlplane", False, ["base"]),
    "http": ("controlplane", False, ["base"]),
    "api": ("controlplane", True, ["base", "schema", "sign", "policy", "audit", "catalogue"]),
    "cli": ("controlplane", False, ["base", "schema", "sign", "policy", "audit"]),
    "wire": ("node", True, ["base"]),
    "log": ("node", True, ["base", "wire"]),
    "txn": ("node", True, ["base", "wire"]),
    "admit": ("node", True, ["base", "schema", "sign", "policy", "catalogue", "wire"]),
    "broker": ("node", True, ["base", "schema", "sign", "policy", "audit", "catalogue", "wire",
                              "log", "txn", "admit"]),
    "runtime": ("node", False, ["base", "schema", "sign", "policy", "audit", "catalogue", "raft",
                                "http", "api", "wire", "log", "txn", "admit", "broker"]),
    "main": ("node", False, ["base", "schema", "sign", "policy", "audit", "catalogue", "raft",
                             "http", "api", "cli", "wire", "log", "txn", "admit", "broker",
                             "runtime"]),
}

# node and controlplane meet in these headers only (design: the view, a request, a report).
MEETING_HEADERS = {"catalogue/view.h", "catalogue/request.h", "catalogue/report.h"}
MEETING_ROOMS = {"admit", "broker"}

# What any pure room may call besides other rooms: functions of their arguments alone.
PURE_CALLS = r"""
    mem(cpy|move|set|cmp|chr|rchr|mem|ccpy) (str(len|nlen|cmp|ncmp|chr|rchr|str|spn|cspn|pbrk|casecmp|ncasecmp|tod|toll|toull|tol|toul)) stpcpy
    v?snprintf v?sscanf __isoc99_sscanf qsort qsort_r bsearch (__)?(mem|str|stp|v?snprintf|v?sprintf)\w*_chk __stack_chk_fail
    __assert_fail abs labs l?round l?floor l?ceil l?rint fmod pow log10 log2 log exp sqrt trunc ldexp frexp modf nextafter isnan isinf fabs
    __ctype_(b|tolower|toupper)_loc tolower toupper isdigit isalpha isalnum isspace isxdigit isprint
    _GLOBAL_OFFSET_TABLE_ __(asan|ubsan|tsan|sanitizer)_\w+ __gcov\w* __errno_location __explicit_bzero_chk explicit_bzero
    __tls_get_addr
"""

# What one pure room may call besides, and why it stays pure.
ROOM_CALLS = {
    # mem.h and check.h are the doors to the heap and to the end of the process; a decimal is printed
    # and read by the C library in the "C" locale that no room changes.
    "base": r"malloc calloc realloc free abort write __errno_location",
    # Byte functions of libraries: no I/O, no state but what the caller holds.
    "json": r"pcre2_\w+_8 __u?(mod|div)ti3 __umodti3",
    "sign": r"crypto_\w+ sodium_\w+ SHA256\w* EVP_\w+ CRYPTO_\w+",
    "policy": r"pcre2_\w+_8 crypto_\w+ SHA256\w* EVP_\w+",
    "audit": r"SHA256\w* EVP_\w+ crypto_\w+",
    # SQLite in memory: a data structure behind SQL.
    "catalogue": r"sqlite3_\w+ ZSTD_\w+ SHA256\w* EVP_\w+ crypto_\w+ free",
    "api": r"SHA256\w* CRYPTO_memcmp",
    "wire": r"(in|de)flate\w* crc32 snappy_\w+ LZ4\w+ ZSTD_\w+ XXH\w+",
    "log": r"strerror",  # the words for an errno that a disk operation returned
    "admit": r"SHA256\w* EVP_\w+",
    "broker": r"SHA256\w* EVP_\w+",
}

# Writable file-scope data that pure rooms may have (documented exceptions).
ROOM_DATA = {
    "base": {"sink_function", "sink_arg", "sink_least"},  # log.h: the log sink
}
