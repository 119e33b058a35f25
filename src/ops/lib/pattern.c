// Regular expressions in RE2's syntax, as far as POSIX extended expressions can say them.
#include "ops/lib/pattern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_REPEATS = 1000 };

// Any character of more than one byte in UTF-8.
#define WIDE "[\xC2-\xDF][\x80-\xBF]|[\xE0-\xEF][\x80-\xBF]{2}|[\xF0-\xF4][\x80-\xBF]{3}"

typedef struct translation {
    const char *pattern, *at; // at: what comes next
    oq_text *into;
    long product; // of all repeats: a bound of what nesting them can make
} translation;

static oq_status refuse(const translation *t, const char *what, oq_error *err) {
    return oq_fail(err, ONNXQ_UNSUPPORTED, "the pattern '%.200s' uses %s, which onnxq does not have",
                   t->pattern, what);
}

// ASCII characters that are members of a class.
typedef struct member_set {
    bool has[128];
} member_set;

static int is_word(int c) { return isalnum(c) || c == '_'; }
static int is_perl_space(int c) { return c == ' ' || c == '\t' || c == '\n' || c == '\f' || c == '\r'; }
static int is_ascii(int c) { return c < 128; }

static void add_class(member_set *set, int (*is_member)(int c)) {
    for (int c = 1; c < 128; c++) set->has[c] |= is_member(c) != 0;
}

// The class behind \d, \w or \s, or NULL.
static int (*perl_class(char letter))(int c) {
    return letter == 'd' ? isdigit : letter == 'w' ? is_word : letter == 's' ? is_perl_space : NULL;
}

// The character that an escape stands for, or 0 when it is no single character.
static char escaped(char letter) {
    static const char letters[] = "tnrfva", stands_for[] = "\t\n\r\f\v\a";
    const char *found = letter ? strchr(letters, letter) : NULL;
    if (found) return stands_for[found - letters];
    return ispunct((unsigned char)letter) ? letter : 0;
}

// [:name:] at t->at adds its members; false when it is none.
static bool add_named_class(translation *t, member_set *set) {
    static const struct {
        const char *text;
        int (*is_member)(int c);
    } names[] = {{"[:alnum:]", isalnum}, {"[:alpha:]", isalpha},  {"[:ascii:]", is_ascii},
                 {"[:blank:]", isblank}, {"[:cntrl:]", iscntrl},  {"[:digit:]", isdigit},
                 {"[:graph:]", isgraph}, {"[:lower:]", islower},  {"[:print:]", isprint},
                 {"[:punct:]", ispunct}, {"[:space:]", isspace},  {"[:upper:]", isupper},
                 {"[:word:]", is_word},  {"[:xdigit:]", isxdigit}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strncmp(t->at, names[i].text, strlen(names[i].text)) == 0) {
            add_class(set, names[i].is_member);
            t->at += strlen(names[i].text);
            return true;
        }
    return false;
}

// One character of a class, escaped or not; 0 for what is none.
static int member(translation *t) {
    const char c = *t->at++;
    if (c == '\\') return *t->at ? (unsigned char)escaped(*t->at++) : 0;
    return (unsigned char)c < 128 ? c : 0;
}

// The members up to the closing bracket.
static oq_status read_members(translation *t, member_set *set, oq_error *err) {
    for (bool first = true; *t->at && (*t->at != ']' || first); first = false) {
        if (*t->at == '[' && add_named_class(t, set)) continue;
        int (*const is_member)(int) = *t->at == '\\' ? perl_class(t->at[1]) : NULL;
        if (is_member) {
            add_class(set, is_member);
            t->at += 2;
            continue;
        }
        const int from = member(t);
        int to = from;
        if (from && t->at[0] == '-' && t->at[1] && t->at[1] != ']') {
            t->at++;
            to = member(t);
        }
        if (!from || !to) return refuse(t, "a member of brackets beyond ASCII or an escape", err);
        for (int c = from; c <= to; c++) set->has[c] = true;
    }
    if (*t->at != ']')
        return oq_fail(err, ONNXQ_BAD_MODEL, "the pattern '%.200s' has an open bracket", t->pattern);
    t->at++;
    return ONNXQ_OK;
}

// Members as POSIX wants them, which knows no escapes there: ] first, - last, ^ not first, [ not before a
// letter's place in [: :].
static void write_members(const member_set *set, bool negated, oq_text *into) {
    bool any = negated, others = negated;
    for (int c = 1; c < 128; c++) others |= set->has[c] && c != '^';
    if (!others) { // the caret alone, which no brackets can hold
        oq_text_add(into, "\\^");
        return;
    }
    oq_text_add(into, negated ? "([^" : "[");
    if (set->has[']']) oq_text_add(into, "]"), any = true;
    for (int c = 1; c < 128; c++)
        if (set->has[c] && !strchr("[]^-", c)) {
            const char byte = (char)c;
            oq_text_add_bytes(into, &byte, 1);
            any = true;
        }
    if (set->has['[']) oq_text_add(into, "["), any = true;
    if (negated) oq_text_add(into, "\x80-\xFF");
    const bool dash_first = set->has['-'] && !any; // before a caret that would be the first
    if (dash_first) oq_text_add(into, "-");
    if (set->has['^']) oq_text_add(into, "^");
    if (set->has['-'] && !dash_first) oq_text_add(into, "-");
    oq_text_add(into, negated ? "]|" WIDE ")" : "]");
}

static oq_status bracket(translation *t, oq_error *err) {
    member_set set = {{false}};
    const bool negated = t->at[1] == '^';
    t->at += negated ? 2 : 1;
    OQ_TRY(read_members(t, &set, err));
    write_members(&set, negated, t->into);
    return ONNXQ_OK;
}

static oq_status escape(translation *t, oq_error *err) {
    const char letter = t->at[1];
    const char *text = letter == 'A'   ? "^"
                       : letter == 'z' ? "$"
                       : letter == 'b' ? "\\b"
                       : letter == 'B' ? "\\B"
                                       : NULL;
    t->at += letter ? 2 : 1;
    if (text) {
        oq_text_add(t->into, text);
        return ONNXQ_OK;
    }
    int (*const is_member)(int) = perl_class((char)tolower((unsigned char)letter));
    if (is_member) {
        member_set set = {{false}};
        add_class(&set, is_member);
        write_members(&set, isupper((unsigned char)letter) != 0, t->into);
        return ONNXQ_OK;
    }
    const char c = escaped(letter);
    if (!c) return refuse(t, "an escape for a class or a number", err);
    if (ispunct((unsigned char)c)) oq_text_add(t->into, "\\");
    oq_text_add_bytes(t->into, &c, 1);
    return ONNXQ_OK;
}

// {n}, {n,} or {n,m}; anything else with a brace is the brace itself.
static oq_status repeat(translation *t, oq_error *err) {
    char *end;
    const char *p = t->at + 1;
    const bool number = isdigit((unsigned char)*p);
    const long least = number ? strtol(p, &end, 10) : 0;
    long most = least;
    if (number && end[0] == ',' && isdigit((unsigned char)end[1]))
        most = strtol(end + 1, &end, 10);
    else if (number && end[0] == ',')
        end++;
    if (!number || *end != '}') {
        oq_text_add(t->into, "\\{");
        t->at++;
        return ONNXQ_OK;
    }
    const long count = most > least ? most : least;
    if (count > MOST_REPEATS || (count > 1 && t->product * count > MOST_REPEATS))
        return oq_fail(err, ONNXQ_BAD_MODEL, "the pattern '%.200s' repeats more than %d times", t->pattern,
                       MOST_REPEATS);
    if (count > 1) t->product *= count;
    oq_text_add_bytes(t->into, t->at, (size_t)(end + 1 - t->at));
    t->at = end + 1;
    if (*t->at == '?') t->at++; // lazy
    return ONNXQ_OK;
}

oq_status oq_pattern_translate(const char *pattern, oq_text *into, oq_error *err) {
    translation t = {.pattern = pattern, .at = pattern, .into = into, .product = 1};
    oq_text_add(into, "^(");
    while (*t.at) {
        if (t.at[0] == '(' && t.at[1] == '?') {
            if (t.at[2] != ':') return refuse(&t, "a group with flags or a name", err);
            oq_text_add(into, "(");
            t.at += 3;
        } else if (*t.at == '\\') {
            OQ_TRY(escape(&t, err));
        } else if (*t.at == '[') {
            OQ_TRY(bracket(&t, err));
        } else if (*t.at == '{') {
            OQ_TRY(repeat(&t, err));
        } else if (*t.at == '.') {
            oq_text_add(into, "([^\n\x80-\xFF]|" WIDE ")");
            t.at++;
        } else {
            const bool repeats = *t.at == '*' || *t.at == '+' || *t.at == '?';
            oq_text_add_bytes(into, t.at++, 1);
            // A lazy repeat prefers the shorter match; whether the whole string matches is the same.
            if (repeats && *t.at == '?') t.at++;
        }
    }
    oq_text_add(into, ")$");
    return into->failed ? oq_fail(err, ONNXQ_NO_MEMORY, "no memory for a pattern") : ONNXQ_OK;
}
