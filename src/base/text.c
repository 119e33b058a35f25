// Growing text, glob match, nearest word, sizes in words.
#include "base/text.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void oq_text_init(oq_text *text, oq_mem *mem) { *text = (oq_text){.mem = mem}; }

void oq_text_release(oq_text *text) {
    oq_mem_free(text->mem, text->data);
    *text = (oq_text){.mem = text->mem};
}

const char *oq_text_get(const oq_text *text) { return text->data ? text->data : ""; }

// Room for `more` bytes and a NUL behind what is there; false (and `failed`) when there is none.
static bool make_room(oq_text *text, size_t more) {
    if (text->failed) return false;
    size_t need = 0;
    if (!oq_add_size(text->length, more, &need) || !oq_add_size(need, 1, &need)) {
        text->failed = true;
        return false;
    }
    if (need <= text->capacity) return true;
    size_t capacity = text->capacity ? text->capacity : 64;
    while (capacity < need && capacity <= SIZE_MAX / 2) capacity *= 2;
    if (capacity < need) capacity = need;
    char *data = oq_mem_realloc(text->mem, text->data, capacity, NULL);
    if (!data) {
        text->failed = true;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void oq_text_add_bytes(oq_text *text, const void *bytes, size_t count) {
    if (!make_room(text, count)) return;
    if (count) memcpy(text->data + text->length, bytes, count);
    text->length += count;
    text->data[text->length] = '\0';
}

void oq_text_add(oq_text *text, const char *string) { oq_text_add_bytes(text, string, strlen(string)); }

void oq_text_printf(oq_text *text, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    const int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    if (length < 0) text->failed = true;
    if (length < 0 || !make_room(text, (size_t)length)) return;
    va_start(arguments, format);
    vsnprintf(text->data + text->length, (size_t)length + 1, format, arguments);
    va_end(arguments);
    text->length += (size_t)length;
}

// Whether `c` is in the set behind '['; *end is behind its ']'. An unclosed '[' is an ordinary character:
// *end NULL.
static bool in_set(const char *set, char c, const char **end) {
    const bool negated = *set == '!' || *set == '^';
    if (negated) set++;
    bool found = false;
    for (const char *s = set; *s; s++) {
        if (*s == ']' && s != set) {
            *end = s + 1;
            return found != negated;
        }
        if (s[1] == '-' && s[2] && s[2] != ']') {
            found = found || (*s <= c && c <= s[2]);
            s += 2;
        } else {
            found = found || *s == c;
        }
    }
    *end = NULL;
    return false;
}

// Matches one pattern element (not '*') with one character; *next is the pattern behind it.
static bool match_one(const char *pattern, char c, const char **next) {
    if (*pattern == '[') {
        const bool found = in_set(pattern + 1, c, next);
        if (*next) return found;
    }
    *next = pattern + 1;
    return *pattern == '?' || *pattern == c;
}

bool oq_glob_match(const char *pattern, const char *name) {
    const char *star = NULL; // pattern behind the last '*'
    const char *retry = name;
    while (*name) {
        const char *next = NULL;
        if (*pattern == '*') {
            star = ++pattern;
            retry = name;
        } else if (*pattern && match_one(pattern, *name, &next)) {
            pattern = next;
            name++;
        } else if (star) { // let the last '*' take one character more
            pattern = star;
            name = ++retry;
        } else {
            return false;
        }
    }
    while (*pattern == '*') pattern++;
    return !*pattern;
}

#define LONGEST_WORD 63

// Edits (insert, remove, replace, swap neighbours) from a to b; both at most LONGEST_WORD long.
static size_t edit_distance(const char *a, size_t n, const char *b, size_t m) {
    size_t rows[3][LONGEST_WORD + 1];
    size_t *before = rows[0];
    size_t *above = rows[1];
    size_t *row = rows[2];
    for (size_t j = 0; j <= m; j++) above[j] = j;
    for (size_t i = 1; i <= n; i++) {
        row[0] = i;
        for (size_t j = 1; j <= m; j++) {
            size_t best = above[j - 1] + (a[i - 1] != b[j - 1]);
            if (above[j] + 1 < best) best = above[j] + 1;
            if (row[j - 1] + 1 < best) best = row[j - 1] + 1;
            const bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
            if (swapped && before[j - 2] + 1 < best) best = before[j - 2] + 1;
            row[j] = best;
        }
        size_t *free_row = before;
        before = above;
        above = row;
        row = free_row;
    }
    return above[m];
}

const char *oq_nearest_word(const char *word, const char *const *candidates, size_t count) {
    const size_t length = strlen(word);
    if (length > LONGEST_WORD) return NULL;
    const char *nearest = NULL;
    size_t least = length / 3 + 1; // at most a third of the word is mistyped, and one letter always
    for (size_t i = 0; i < count; i++) {
        const size_t other = strlen(candidates[i]);
        if (other > LONGEST_WORD) continue;
        const size_t distance = edit_distance(word, length, candidates[i], other);
        if (distance < length && distance < other && (nearest ? distance < least : distance <= least)) {
            nearest = candidates[i];
            least = distance;
        }
    }
    return nearest;
}

const char *oq_format_bytes(char *buffer, size_t size, uint64_t bytes) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    size_t unit = 0;
    double value = (double)bytes;
    // 999.5 would print as 1000
    while (unit + 1 < sizeof units / sizeof units[0] && value >= 999.5) {
        value /= 1000;
        unit++;
    }
    const int decimals = unit && value < 9.95;
    snprintf(buffer, size, "%.*f %s", decimals, value, units[unit]);
    return buffer;
}
