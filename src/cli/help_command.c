// onnxq help: the overview, one command, or the generated documents.
#include "cli/command.h"

#include <string.h>

typedef struct help_values {
    common_values common;
    int markdown, man, completions;
} help_values;

#define AT(member) offsetof(help_values, member)

static const option options[] = {
    {"markdown", 0, OPTION_FLAG, NULL, "all commands as Markdown (docs/cli.md)", AT(markdown), 0, 0},
    {"man", 0, OPTION_FLAG, NULL, "the manual page", AT(man), 0, 0},
    {"completions", 0, OPTION_FLAG, NULL, "completions for bash", AT(completions), 0, 0},
    {0}};

static onnxq_status run(void *values, char **positional, size_t count, onnxq_error *err) {
    const help_values *v = values;
    if (v->markdown) {
        help_markdown(stdout);
    } else if (v->man) {
        help_man(stdout);
    } else if (v->completions) {
        help_completions(stdout);
    } else if (!count) {
        help_overview(stdout);
    } else {
        const command *c = command_find(positional[0]);
        if (!c) {
            snprintf(err->message, sizeof err->message, "no such command '%s'; 'onnxq --help' lists them",
                     positional[0]);
            return ONNXQ_USAGE;
        }
        help_command(stdout, c);
    }
    return ONNXQ_OK;
}

const command help_subcommand = {
    .name = "help",
    .usage = "[COMMAND]",
    .summary = "show a command's options",
    .options = options,
    .positional_least = 0,
    .positional_most = 1,
    .values_size = sizeof(help_values),
    .run = run,
};
