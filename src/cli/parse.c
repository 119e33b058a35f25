// Parsing of a subcommand's arguments by its option table.
#include "cli/command.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static onnxq_status usage(onnxq_error *err, const char *format, ...) {
    va_list arguments;
    va_start(arguments, format);
    err->status = ONNXQ_USAGE;
    vsnprintf(err->message, sizeof err->message, format, arguments);
    va_end(arguments);
    return ONNXQ_USAGE;
}

const command *command_find(const char *name) {
    for (size_t i = 0; commands[i]; i++)
        if (!strcmp(commands[i]->name, name)) return commands[i];
    return NULL;
}

// The option of this name or letter: in the command's own table, the shared and the common one.
static const option *find(const command *c, const char *name, size_t length, char letter) {
    const option *tables[] = {c->options, c->shared, common_options};
    for (size_t t = 0; t < 3; t++)
        for (const option *o = tables[t]; o && o->name; o++)
            if (letter ? o->letter == letter : strlen(o->name) == length && !strncmp(o->name, name, length))
                return o;
    return NULL;
}

static onnxq_status unknown(const command *c, const char *given, size_t length, onnxq_error *err) {
    const char *names[128];
    size_t count = 0;
    const option *tables[] = {c->options, c->shared, common_options};
    for (size_t t = 0; t < 3; t++)
        for (const option *o = tables[t]; o && o->name && count < 128; o++) names[count++] = o->name;
    char word[64];
    snprintf(word, sizeof word, "%.*s", (int)length, given);
    const char *near = onnxq_nearest_word(word, names, count);
    if (near) return usage(err, "unknown option --%s; did you mean --%s?", word, near);
    return usage(err, "unknown option --%s; see 'onnxq help %s'", word, c->name);
}

static bool parse_number(const char *text, double *out) {
    char *end;
    errno = 0;
    *out = strtod(text, &end);
    return !errno && end != text && !*end && isfinite(*out);
}

static onnxq_status append(text_list *list, const char *text, onnxq_error *err) {
    const char **grown = realloc(list->items, (list->count + 1) * sizeof *grown);
    if (!grown) {
        err->status = ONNXQ_NO_MEMORY;
        snprintf(err->message, sizeof err->message, "out of memory while reading the command line");
        return ONNXQ_NO_MEMORY;
    }
    list->items = grown;
    list->items[list->count++] = text;
    return ONNXQ_OK;
}

// Index of `text` among the words of "a|b|c", or -1.
static int choice(const char *choices, const char *text) {
    int index = 0;
    for (const char *at = choices; *at; index++) {
        const size_t length = strcspn(at, "|");
        if (strlen(text) == length && !strncmp(at, text, length)) return index;
        at += length + (at[length] == '|');
    }
    return -1;
}

static onnxq_status store_number(const option *o, const char *text, void *slot, onnxq_error *err) {
    double number;
    const bool whole = o->kind != OPTION_REAL;
    if (o->low == o->high && (!parse_number(text, &number) || number != o->low))
        return usage(err, "--%s can only be %g so far, not '%s'", o->name, o->low, text);
    if (!parse_number(text, &number) || (whole && number != floor(number)) || number < o->low ||
        number > o->high)
        return usage(err, "--%s takes %s from %g to %g, not '%s'", o->name,
                     whole ? "a whole number" : "a number", o->low, o->high, text);
    if (o->kind == OPTION_COUNT)
        *(size_t *)slot = (size_t)number;
    else if (o->kind == OPTION_INTEGER)
        *(int *)slot = (int)number;
    else
        *(double *)slot = number;
    return ONNXQ_OK;
}

static onnxq_status store(const option *o, char *text, void *values, onnxq_error *err) {
    void *slot = (char *)values + o->offset;
    switch (o->kind) {
    case OPTION_FLAG: *(int *)slot = 1; return ONNXQ_OK;
    case OPTION_UNFLAG: *(int *)slot = 0; return ONNXQ_OK;
    case OPTION_TEXT: *(const char **)slot = text; return ONNXQ_OK;
    case OPTION_TEXTS: return append(slot, text, err);
    case OPTION_WORDS:
        for (char *word = strtok(text, ","); word; word = strtok(NULL, ",")) {
            const onnxq_status status = append(slot, word, err);
            if (status != ONNXQ_OK) return status;
        }
        return ONNXQ_OK;
    case OPTION_COUNT:
    case OPTION_INTEGER:
    case OPTION_REAL: return store_number(o, text, slot, err);
    case OPTION_CHOICE: break;
    }
    const int index = choice(o->argument, text);
    if (index < 0) return usage(err, "--%s takes one of %s, not '%s'", o->name, o->argument, text);
    *(int *)slot = index;
    return ONNXQ_OK;
}

static bool takes_argument(const option *o) { return o->kind != OPTION_FLAG && o->kind != OPTION_UNFLAG; }

// One option at argv[*i], with its argument behind '=' or in the next word.
static onnxq_status parse_option(const command *c, int argc, char **argv, int *i, void *values,
                                 onnxq_error *err) {
    char *word = argv[*i], *argument = NULL;
    const bool is_long = word[1] == '-';
    const char *name = is_long ? word + 2 : word + 1;
    const size_t length = is_long ? strcspn(name, "=") : 1;
    const option *o = is_long ? find(c, name, length, 0) : find(c, NULL, 0, word[1]);
    if (!o && !is_long) return usage(err, "unknown option %s; see 'onnxq help %s'", word, c->name);
    if (!o) return unknown(c, name, length, err);
    if (name[length]) argument = word + (name - word) + length + (is_long ? 1 : 0);
    if (!takes_argument(o) && argument) return usage(err, "--%s takes no argument", o->name);
    if (takes_argument(o) && !argument) {
        if (*i + 1 >= argc) return usage(err, "--%s needs an argument (%s)", o->name, o->argument);
        argument = argv[++*i];
    }
    return store(o, argument, values, err);
}

onnxq_status command_parse(const command *c, int argc, char **argv, void *values, size_t *positional_count,
                           onnxq_error *err) {
    size_t count = 0;
    bool options_end = false;
    for (int i = 0; i < argc; i++) {
        if (!options_end && !strcmp(argv[i], "--")) {
            options_end = true;
        } else if (!options_end && argv[i][0] == '-' && argv[i][1]) {
            const onnxq_status status = parse_option(c, argc, argv, &i, values, err);
            if (status != ONNXQ_OK) return status;
        } else {
            argv[count++] = argv[i];
        }
    }
    *positional_count = count;
    if (((common_values *)values)->help) return ONNXQ_OK;
    if (count < c->positional_least)
        return usage(err, "an argument is missing: onnxq %s %s", c->name, c->usage);
    if (count > c->positional_most)
        return usage(err, "unexpected argument '%s': onnxq %s %s", argv[c->positional_most], c->name,
                     c->usage);
    return ONNXQ_OK;
}

void command_release(const command *c, void *values) {
    const option *tables[] = {c->options, c->shared};
    for (size_t t = 0; t < 2; t++)
        for (const option *o = tables[t]; o && o->name; o++)
            if (o->kind == OPTION_TEXTS || o->kind == OPTION_WORDS)
                free(((text_list *)((char *)values + o->offset))->items);
    free(values);
}
