/* JSON Schema's patterns are ECMA-262 (with the u flag). PCRE2 reads a language that is close but
 * not the same, so each pattern is translated first, and what ECMA-262 does not know is refused:
 * possessive quantifiers, recursion, verbs, inline options. \d, \w and \b mean ASCII there, hence
 * no PCRE2_UCP; \s means Unicode's white space, hence the lists below. */
#include "json/internal.h"

#include "base/bytes.h"
#include "base/codec.h"

#define SPACES                                                                                     \
    "\\s\\x{a0}\\x{1680}\\x{2000}-\\x{200a}\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}\\x{feff}"
#define NOT_SPACES                                                                                 \
    "\\x{0}-\\x{8}\\x{e}-\\x{1f}\\x{21}-\\x{9f}\\x{a1}-\\x{167f}\\x{1681}-\\x{1fff}"               \
    "\\x{200b}-\\x{2027}\\x{202a}-\\x{202e}\\x{2030}-\\x{205e}\\x{2060}-\\x{2fff}"                 \
    "\\x{3001}-\\x{fefe}\\x{ff00}-\\x{10ffff}"

struct translation {
    const uint8_t *p;
    const uint8_t *end;
    struct bytes out;
    bool in_class;
    const char *error;
};

static bool refuse(struct translation *t, const char *why)
{
    t->error = why;
    return false;
}

static bool is_letter(uint8_t c)
{
    return (uint8_t)((c | 0x20) - 'a') < 26;
}

static bool is_digit(uint8_t c)
{
    return (uint8_t)(c - '0') < 10;
}

static bool hex_value(const uint8_t *p, size_t n, uint32_t *out)
{
    uint8_t four[4] = {'0', '0', '0', '0'};
    uint32_t v = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t digit;
        four[3] = p[i];
        if (!json_hex4(four, &digit) || v > 0x10ffff)
            return false;
        v = v << 4 | digit;
    }
    *out = v;
    return v <= 0x10ffff;
}

static bool add_code_point(struct translation *t, uint32_t c)
{
    if (c >= 0xd800 && c <= 0xdfff)
        return refuse(t, "a lone surrogate");
    bytes_printf(&t->out, "\\x{%x}", c);
    return true;
}

/* After \u. */
static bool unicode_escape(struct translation *t)
{
    uint32_t c, low;
    size_t left = (size_t)(t->end - t->p);
    if (left > 0 && t->p[0] == '{') {
        const uint8_t *close = memchr(t->p, '}', left);
        if (close == NULL || close == t->p + 1 ||
            !hex_value(t->p + 1, (size_t)(close - t->p - 1), &c))
            return refuse(t, "a wrong \\u{} escape");
        t->p = close + 1;
        return add_code_point(t, c);
    }
    if (left < 4 || !hex_value(t->p, 4, &c))
        return refuse(t, "a wrong \\u escape");
    t->p += 4;
    if (c >= 0xd800 && c <= 0xdbff && left >= 10 && t->p[0] == '\\' && t->p[1] == 'u' &&
        hex_value(t->p + 2, 4, &low) && low >= 0xdc00 && low <= 0xdfff) {
        t->p += 6;
        c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    }
    return add_code_point(t, c);
}

static bool property_escape(struct translation *t, uint8_t letter)
{
    static const char *const names[][2] = {
        {"Letter", "L"},
        {"Cased_Letter", "L&"},
        {"Uppercase_Letter", "Lu"},
        {"Lowercase_Letter", "Ll"},
        {"Titlecase_Letter", "Lt"},
        {"Modifier_Letter", "Lm"},
        {"Other_Letter", "Lo"},
        {"Mark", "M"},
        {"Nonspacing_Mark", "Mn"},
        {"Spacing_Mark", "Mc"},
        {"Enclosing_Mark", "Me"},
        {"Number", "N"},
        {"Decimal_Number", "Nd"},
        {"digit", "Nd"},
        {"Letter_Number", "Nl"},
        {"Other_Number", "No"},
        {"Punctuation", "P"},
        {"punct", "P"},
        {"Connector_Punctuation", "Pc"},
        {"Dash_Punctuation", "Pd"},
        {"Open_Punctuation", "Ps"},
        {"Close_Punctuation", "Pe"},
        {"Initial_Punctuation", "Pi"},
        {"Final_Punctuation", "Pf"},
        {"Other_Punctuation", "Po"},
        {"Symbol", "S"},
        {"Math_Symbol", "Sm"},
        {"Currency_Symbol", "Sc"},
        {"Modifier_Symbol", "Sk"},
        {"Other_Symbol", "So"},
        {"Separator", "Z"},
        {"Space_Separator", "Zs"},
        {"Line_Separator", "Zl"},
        {"Paragraph_Separator", "Zp"},
        {"Other", "C"},
        {"Control", "Cc"},
        {"cntrl", "Cc"},
        {"Format", "Cf"},
        {"Surrogate", "Cs"},
        {"Private_Use", "Co"},
        {"Unassigned", "Cn"},
    };
    size_t left = (size_t)(t->end - t->p);
    const uint8_t *close = left > 0 && t->p[0] == '{' ? memchr(t->p, '}', left) : NULL;
    if (close == NULL)
        return refuse(t, "\\p without {...}");
    struct slice name = slice_of(t->p + 1, (size_t)(close - t->p - 1));
    t->p = close + 1;
    const uint8_t *equals = name.n ? memchr(name.p, '=', name.n) : NULL;
    if (equals) /* Script=Greek, General_Category=Lu: PCRE2 takes the value alone */
        name = slice_of(equals + 1, name.n - (size_t)(equals - name.p) - 1);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (slice_eq_str(name, names[i][0]))
            name = slice_str(names[i][1]);
    bytes_printf(&t->out, "\\%c{%.*s}", letter, SLICE_FMT(name));
    return true;
}

static void space_escape(struct translation *t, bool negated)
{
    if (t->in_class)
        bytes_add_str(&t->out, negated ? NOT_SPACES : SPACES);
    else
        bytes_add_str(&t->out, negated ? "[^" SPACES "]" : "[" SPACES "]");
}

static bool back_reference(struct translation *t, uint8_t first)
{
    if (t->in_class)
        return refuse(t, "a back reference in a class");
    unsigned n = first - (unsigned)'0';
    while (t->p < t->end && is_digit(*t->p) && n < 1000)
        n = n * 10 + (unsigned)(*t->p++ - '0');
    bytes_printf(&t->out, "\\g{%u}", n);
    return true;
}

static bool letter_escape(struct translation *t, uint8_t c)
{
    uint32_t v;
    switch (c) {
    case 'B':
        if (t->in_class)
            return refuse(t, "\\B in a class");
        /* fall through */
    case 'b':
    case 'd':
    case 'D':
    case 'w':
    case 'W':
    case 'n':
    case 'r':
    case 't':
    case 'f':
        bytes_printf(&t->out, "\\%c", c);
        return true;
    case 'v': /* PCRE2: any vertical space */
        return add_code_point(t, 0x0b);
    case 's':
    case 'S':
        space_escape(t, c == 'S');
        return true;
    case 'p':
    case 'P':
        return property_escape(t, c);
    case 'u':
        return unicode_escape(t);
    case 'x':
        if (t->end - t->p < 2 || !hex_value(t->p, 2, &v))
            return refuse(t, "a wrong \\x escape");
        t->p += 2;
        return add_code_point(t, v);
    case 'c':
        if (t->p == t->end || !is_letter(*t->p))
            return refuse(t, "a wrong \\c escape");
        return add_code_point(t, *t->p++ & 31u);
    case 'k':
        if (t->in_class || t->p == t->end || *t->p != '<')
            return refuse(t, "a wrong \\k escape");
        bytes_add_str(&t->out, "\\k");
        return true;
    default:
        return refuse(t, "an escape that ECMA-262 does not know");
    }
}

/* t->p is after the backslash. */
static bool escape(struct translation *t)
{
    if (t->p == t->end)
        return refuse(t, "a backslash at the end");
    uint8_t c = *t->p++;
    if (is_letter(c))
        return letter_escape(t, c);
    if (c == '0') {
        if (t->p < t->end && is_digit(*t->p))
            return refuse(t, "an octal escape");
        return add_code_point(t, 0);
    }
    if (is_digit(c))
        return back_reference(t, c);
    if (c < 0x80)
        bytes_add_u8(&t->out, '\\');
    bytes_add_u8(&t->out, c); /* of a longer character the rest follows as it is */
    return true;
}

static bool class_char(struct translation *t, uint8_t c)
{
    if (c == '\\')
        return escape(t);
    if (c == '[') /* PCRE2 would look for [:alpha:] */
        bytes_add_u8(&t->out, '\\');
    if (c == ']')
        t->in_class = false;
    bytes_add_u8(&t->out, c);
    return true;
}

static bool group(struct translation *t)
{
    size_t left = (size_t)(t->end - t->p);
    bytes_add_u8(&t->out, '(');
    if (left > 0 && t->p[0] == '*')
        return refuse(t, "nothing to repeat");
    if (left == 0 || t->p[0] != '?')
        return true;
    uint8_t c = left > 1 ? t->p[1] : 0;
    if (c == ':' || c == '=' || c == '!')
        return true;
    if (c == '<' && left > 2 &&
        (t->p[2] == '=' || t->p[2] == '!' || t->p[2] == '_' || is_letter(t->p[2])))
        return true;
    return refuse(t, "a group that ECMA-262 does not know");
}

static bool quantifier(struct translation *t, uint8_t c)
{
    bytes_add_u8(&t->out, c);
    if (t->p < t->end && *t->p == '?')
        bytes_add_u8(&t->out, *t->p++);
    if (t->p < t->end && (*t->p == '+' || *t->p == '*' || *t->p == '?'))
        return refuse(t, "nothing to repeat");
    return true;
}

static bool plain_char(struct translation *t, uint8_t c)
{
    switch (c) {
    case '\\':
        return escape(t);
    case '.':
        bytes_add_str(&t->out, "[^\\n\\r\\x{2028}\\x{2029}]");
        return true;
    case '(':
        return group(t);
    case '*':
    case '+':
    case '?':
        if (t->out.n > 0 && c == '?' && t->out.p[t->out.n - 1] == '(' && t->p[-2] == '(') {
            bytes_add_u8(&t->out, c); /* of (?: and its like, which group() has checked */
            return true;
        }
        return quantifier(t, c);
    case '}':
        if (t->out.n > 0 && is_digit(t->out.p[t->out.n - 1]))
            return quantifier(t, c); /* the end of {n}, {n,m}; after {n,} PCRE2 itself decides */
        break;
    case '[':
        t->in_class = true;
        bytes_add_u8(&t->out, c);
        if (t->p < t->end && *t->p == '^')
            bytes_add_u8(&t->out, *t->p++);
        return true;
    default:
        break;
    }
    bytes_add_u8(&t->out, c);
    return true;
}

static bool translate(struct translation *t)
{
    while (t->p < t->end) {
        uint8_t c = *t->p++;
        if (!(t->in_class ? class_char(t, c) : plain_char(t, c)))
            return false;
    }
    return true;
}

pcre2_code *regex_compile(struct slice source, struct err *err)
{
    if (source.n > JSON_PATTERN_SIZE_MAX) {
        err_set(err, ERR_LIMIT, "the pattern is longer than %d bytes", JSON_PATTERN_SIZE_MAX);
        return NULL;
    }
    struct translation t = {.p = source.p, .end = source.p + source.n};
    pcre2_code *code = NULL;
    if (!translate(&t)) {
        err_set(err, ERR_INVALID, "the pattern has %s", t.error);
    } else {
        int error;
        PCRE2_SIZE offset;
        bytes_reserve(&t.out, 1);
        code =
            pcre2_compile(t.out.p, t.out.n,
                          PCRE2_UTF | PCRE2_DOLLAR_ENDONLY | PCRE2_ALLOW_EMPTY_CLASS |
                              PCRE2_MATCH_UNSET_BACKREF | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP,
                          &error, &offset, NULL);
        if (code == NULL) {
            char text[128];
            pcre2_get_error_message(error, (PCRE2_UCHAR *)text, sizeof text);
            err_set(err, ERR_INVALID, "the pattern cannot be used: %s", text);
        }
    }
    bytes_free(&t.out);
    return code;
}

bool regex_is_ecma(struct slice source)
{
    pcre2_code *code = regex_compile(source, NULL);
    pcre2_code_free(code);
    return code != NULL;
}

enum regex_result regex_match(const pcre2_code *code, struct slice subject, uint32_t limit,
                              pcre2_match_data *data, pcre2_match_context *context)
{
    static const uint8_t empty[1];
    pcre2_set_match_limit(context, limit);
    int rc = pcre2_match(code, subject.p ? subject.p : empty, subject.n, 0, PCRE2_NO_UTF_CHECK,
                         data, context);
    if (rc >= 0)
        return REGEX_YES;
    return rc == PCRE2_ERROR_NOMATCH ? REGEX_NO : REGEX_LIMIT;
}
