// Ranges that somebody wrote into a text file: one line `TENSOR LOW HIGH` each.
#include "base/file.h"
#include "base/text.h"
#include "stats/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static bool is_blank(char c) { return c == ' ' || c == '\t' || c == '\r'; }

// A name between quotes, in which \" and \\ stand for " and \; false when nothing closes it.
static bool quoted_word(char **at, char **word) {
    char *to = *word = ++*at;
    for (; **at && **at != '"'; ++*at) {
        if (**at == '\\' && ((*at)[1] == '"' || (*at)[1] == '\\')) ++*at;
        *to++ = **at;
    }
    if (!**at) return false;
    ++*at;
    *to = 0;
    return true;
}

// The next word, ended in place; *word = NULL where the line or what is not a comment of it ends.
static bool next_word(char **at, char **word) {
    while (is_blank(**at)) ++*at;
    *word = NULL;
    if (!**at || **at == '#') return true;
    if (**at == '"') return quoted_word(at, word);
    *word = *at;
    while (**at && !is_blank(**at)) ++*at;
    if (**at) *(*at)++ = 0;
    return true;
}

static oq_status read_bound(const char *word, float *out, oq_error *err) {
    char *end;
    const double value = strtod(word, &end);
    *out = (float)value + 0.0F; // 0 for -0
    if (end == word || *end || !isfinite(*out))
        return oq_fail(err, ONNXQ_BAD_DATA, "'%s' is no finite number", word);
    return ONNXQ_OK;
}

static oq_status read_line(oq_stats *stats, char *line, oq_error *err) {
    char *name, *low, *high, *more;
    oq_tensor_stats *t;
    float min, max;
    if (!next_word(&line, &name)) return oq_fail(err, ONNXQ_BAD_DATA, "a quote is not closed");
    if (!name) return ONNXQ_OK;
    if (!next_word(&line, &low) || !next_word(&line, &high) || !next_word(&line, &more) || !high || more)
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "a line is TENSOR LOW HIGH, with a name that holds blanks in double quotes");
    OQ_TRY(read_bound(low, &min, err));
    OQ_TRY(read_bound(high, &max, err));
    if (min > max) return oq_fail(err, ONNXQ_BAD_DATA, "the range of '%s' ends below where it begins", name);
    if (oq_stats_find(stats, name))
        return oq_fail(err, ONNXQ_BAD_DATA, "'%s' has a range already: each tensor stands once", name);
    OQ_TRY(oq_stats_ensure(stats, name, &t, err));
    t->min = min, t->max = max;
    t->count = 1;
    return ONNXQ_OK;
}

static oq_status read_lines(oq_stats *stats, char *text, oq_error *err) {
    size_t number = 0;
    for (char *line = text, *next; line; line = next) {
        number++;
        next = strchr(line, '\n');
        if (next) *next++ = 0;
        const oq_status status = read_line(stats, line, err);
        if (status == ONNXQ_OK) continue;
        oq_error_prefix(err, "line %zu: ", number);
        return status;
    }
    return stats->count ? ONNXQ_OK : oq_fail(err, ONNXQ_BAD_DATA, "there is no range in it");
}

static bool is_text(const uint8_t *bytes, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (bytes[i] < ' ' && bytes[i] != '\n' && !is_blank((char)bytes[i])) return false;
    return true;
}

static oq_status parse(const uint8_t *bytes, size_t count, oq_stats *stats, oq_error *err) {
    if (!is_text(bytes, count))
        return oq_fail(err, ONNXQ_BAD_DATA,
                       "this is neither a statistics file of 'onnxq calibrate' nor a text of ranges");
    char *text = oq_mem_alloc(stats->mem, count + 1, err);
    if (!text) return ONNXQ_NO_MEMORY;
    if (count) memcpy(text, bytes, count);
    text[count] = 0;
    stats->given = true;
    const oq_status status = read_lines(stats, text, err);
    oq_mem_free(stats->mem, text);
    return status;
}

oq_status oq_stats_load_any(oq_mem *mem, const char *path, oq_stats **out, oq_error *err) {
    uint8_t *bytes = NULL;
    size_t count;
    *out = NULL;
    OQ_TRY(oq_file_read_all(mem, path, &bytes, &count, err));
    if (count >= sizeof OQ_STATS_MAGIC - 1 && !memcmp(bytes, OQ_STATS_MAGIC, sizeof OQ_STATS_MAGIC - 1)) {
        oq_mem_free(mem, bytes);
        return oq_stats_load(mem, path, out, err);
    }
    oq_status status = oq_stats_new(mem, out, err);
    if (status == ONNXQ_OK) status = parse(bytes, count, *out, err);
    if (status != ONNXQ_OK) {
        oq_error_prefix(err, "'%s': ", path);
        oq_error_at_file(err, path);
        oq_stats_free(*out);
        *out = NULL;
    }
    oq_mem_free(mem, bytes);
    return status;
}
