// Subcommands and their options as tables; parsing, help, manual and completions are made from them.
#ifndef OQ_CLI_COMMAND_H
#define OQ_CLI_COMMAND_H

#include "onnxq/onnxq.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

typedef enum option_kind {
    OPTION_FLAG,    // int: 1 when given
    OPTION_UNFLAG,  // int: 0 when given
    OPTION_TEXT,    // const char *
    OPTION_TEXTS,   // text_list, may be given several times
    OPTION_WORDS,   // text_list, A,B,C
    OPTION_COUNT,   // size_t within [low, high]
    OPTION_INTEGER, // int within [low, high]
    OPTION_REAL,    // double within [low, high]
    OPTION_CHOICE,  // int: index in `choices`
} option_kind;

typedef struct text_list {
    const char **items;
    size_t count;
} text_list;

typedef struct option {
    const char *name; // without --
    char letter;      // or 0
    option_kind kind;
    const char *argument; // shown in help: FILE, N; choices: "qoperator|qdq"
    const char *help;
    size_t offset; // of the value in the command's struct of values
    double low, high;
} option;

// What every subcommand has; the first member of each struct of values.
typedef struct common_values {
    size_t threads;
    int quiet, verbose, json, help, no_cache;
    size_t memory; // MiB; 0 = no limit
} common_values;

typedef struct command {
    const char *name, *usage, *summary, *details;
    const option *options; // ended by name NULL; the shared and then the common ones follow
    const option *shared;  // of several commands; may be NULL
    size_t positional_least, positional_most;
    size_t values_size;
    void (*defaults)(void *values); // after zeroing; may be NULL
    onnxq_status (*run)(void *values, char **positional, size_t count, onnxq_error *err);
} command;

// Entries of the tables of commands that calibrate; `member` is the struct's common values.
#define CACHE_OPTIONS(type, member)                                                                          \
    {"cache",                                                                                                \
     0,                                                                                                      \
     OPTION_UNFLAG,                                                                                          \
     NULL,                                                                                                   \
     "keep statistics in $XDG_CACHE_HOME/onnxq (~/.cache/onnxq) and take them from there (the default)",     \
     offsetof(type, member.no_cache),                                                                        \
     0,                                                                                                      \
     0},                                                                                                     \
    {                                                                                                        \
        "no-cache", 0, OPTION_FLAG, NULL, "run the samples, and keep nothing",                               \
            offsetof(type, member.no_cache), 0, 0                                                            \
    }

#define INPUT_RANGE_OPTION(at)                                                                               \
    {                                                                                                        \
        "input-range", 0, OPTION_TEXTS, "[NAME=]LO:HI",                                                      \
            "the numbers that an input can have (its name may be left out when it is the only one): the "    \
            "grid of the input covers them, made-up samples lie in them, and other ranges follow where "     \
            "samples do not tell more; may be repeated",                                                     \
            at, 0, 0                                                                                         \
    }
// Tells the model what the texts of such an option say.
onnxq_status command_input_ranges(const text_list *ranges, onnxq_model *model, onnxq_error *err);

extern const command *const commands[]; // ended by NULL
extern const option common_options[];

const command *command_find(const char *name);
// Parses argv[0..argc) into `values`; positionals are moved to the front and counted. USAGE with a suggestion
// on mistakes.
onnxq_status command_parse(const command *c, int argc, char **argv, void *values, size_t *positional_count,
                           onnxq_error *err);
void command_release(const command *c, void *values);

void help_overview(FILE *to);
void help_command(FILE *to, const command *c);
void help_markdown(FILE *to);    // docs/cli.md
void help_man(FILE *to);         // onnxq.1
void help_completions(FILE *to); // bash

// A session whose progress and notes go to stderr as the common options say.
onnxq_status terminal_session(const common_values *common, onnxq_session **out, onnxq_error *err);
void terminal_end(void); // clears the progress line
void terminal_error(const onnxq_error *err);

#endif
