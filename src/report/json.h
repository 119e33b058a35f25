// Small helpers around jansson for this room.
#ifndef OQ_REPORT_JSON_H
#define OQ_REPORT_JSON_H

#include "base/text.h"
#include "report/report.h"

#include <jansson.h>

// The report made of `root` (one reference is taken over, NULL = out of memory) and a function that prints it
// as text.
oq_status oq_report_finish(oq_mem *mem, json_t *root, void (*print)(const json_t *root, oq_text *into),
                           oq_report *out, oq_error *err);
// Members with a default for what is not there.
const char *oq_json_text(const json_t *object, const char *key);
double oq_json_number(const json_t *object, const char *key);
size_t oq_json_count(const json_t *object, const char *key);
// A finite number, or null.
json_t *oq_json_real(double value);

// Counts of operators by name, main graph and bodies: {"Conv": 50, ...}, sorted.
json_t *oq_json_operators(const oq_graph *graph);
// Two such counts side by side.
void oq_print_operators(const json_t *before, const json_t *after, oq_text *into);
// One more node with weights of so many bytes, to {"MatMul": {"weights", "bytes_before", "bytes_after"}, ..}.
void oq_json_add_sizes(json_t *operators, const char *op_type, uint64_t before, uint64_t after);
void oq_print_sizes(const json_t *operators, oq_text *into);
// What a conversion's closing table ends with: bytes of all constants, and time and memory.
void oq_print_weights(const json_t *root, oq_text *into);
void oq_print_cost(const json_t *root, oq_text *into);
// Bytes of all constants of a model.
uint64_t oq_report_constant_bytes(const oq_model *model);
// Rows {"name", "op", "fate", "reason", "macs"} of the nodes with a compute rule or with a reason, and their
// summary.
json_t *oq_json_plan(const oq_graph *graph, const oq_plan *plan);
// Adds what the plan says of sizes once it is emitted: to rows of quantized nodes "bytes_before" and
// "bytes_after" of their weights, and "operators", sums by operator.
void oq_json_plan_sizes(json_t *json, const oq_graph *graph, const oq_plan *plan);
void oq_print_plan(const json_t *plan, oq_text *into);
// Sizes of weights by operator, and one row {"node", "op", "bits", ..} or {"node", "op", "reason"} a weight.
json_t *oq_json_storage(const oq_storage *storage);
void oq_print_storage(const json_t *storage, oq_text *into);
// A budget and the layers that were left float for it; `graph` is the one that was planned.
json_t *oq_json_budget(const oq_graph *graph, oq_metric metric, double asked, const oq_budget *budget);
void oq_print_budget(const json_t *budget, oq_text *into);
// Widths chosen for a size; `graph` is the one that was planned.
json_t *oq_json_widths(const oq_graph *graph, oq_size_goal goal, double target, const oq_widths *widths);
void oq_print_widths(const json_t *widths, oq_text *into);
// What a comparison found; shared by the reports of convert and verify.
json_t *oq_json_verify(const oq_verify_result *result);
void oq_print_outputs(const json_t *verify, oq_text *into); // without layers

#endif
