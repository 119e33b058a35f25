// The page of a conversion: figures, layers with their fate, the budget's choices, where the error comes
// from. Style and drawings are in the page itself; it runs no script and loads nothing.
#include "report/html.h"

#include <math.h>
#include <string.h>

static const char head[] =
    "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
    "<meta name=\"viewport\" content=\"width=device-width\">\n<style>\n"
    ":root{--ink:#1c2530;--soft:#66727f;--line:#e1e6eb;--page:#f5f7f9;--card:#fff;--good:#1b7f5c;--bad:#"
    "b4452c;"
    "--bar:#5b8def}\n"
    "@media(prefers-color-scheme:dark){:root{--ink:#e3e8ee;--soft:#94a1af;--line:#2d3742;--page:#12171d;"
    "--card:#1a2129;--good:#4cc596;--bad:#ee8a6c;--bar:#6f9df5}}\n"
    "*{box-sizing:border-box}body{margin:0;background:var(--page);color:var(--ink);"
    "font:15px/1.5 system-ui,sans-serif}\n"
    "main{max-width:1280px;margin:0 auto;padding:2.2rem 1.2rem 4rem}\n"
    "h1{font-size:1.55rem;margin:0}h2{font-size:1.08rem;margin:2.4rem 0 .7rem}p{margin:.3rem "
    "0;color:var(--soft)}\n"
    ".cards{display:grid;grid-template-columns:repeat(auto-fit,minmax(165px,1fr));gap:.8rem;margin:1.4rem "
    "0}\n"
    ".card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:.8rem 1rem}\n"
    ".card b{display:block;font-size:1.3rem;font-weight:600}.card span{color:var(--soft);font-size:.85rem}\n"
    ".warn{border-left:4px solid var(--bad);background:var(--card);padding:.7rem 1rem;border-radius:6px;"
    "color:var(--bad)}\n"
    ".scroll{overflow-x:auto;background:var(--card);border:1px solid var(--line);border-radius:10px}\n"
    "table{border-collapse:collapse;width:100%;font-size:.87rem;font-variant-numeric:tabular-nums}\n"
    "th,td{text-align:right;padding:.38rem .5rem;white-space:nowrap;border-bottom:1px solid var(--line)}\n"
    "th{color:var(--soft);font-weight:500}tr:last-child td{border-bottom:0}\n"
    "td:first-child,th:first-child,.left{text-align:left}.why{white-space:normal;color:var(--soft)}\n"
    ".quantized{color:var(--good)}.float{color:var(--bad)}\n"
    "svg{display:block}.bar{fill:var(--bar)}.none{color:var(--soft)}\n"
    "</style>\n";

void oq_html_text(const char *text, oq_text *into) {
    for (const char *end = text; *text; text = end) {
        end = text + strcspn(text, "&<>\"'");
        oq_text_add_bytes(into, text, (size_t)(end - text));
        if (*end) oq_text_printf(into, "&#%d;", *end++);
    }
}

static void add_text(const json_t *object, const char *key, oq_text *into) {
    oq_html_text(oq_json_text(object, key), into);
}

static void begin_table(const char *title, const char *what, const char *columns, oq_text *into) {
    oq_text_printf(into, "<h2>%s</h2>\n<p>%s</p>\n<div class=\"scroll\"><table><tr>%s</tr>\n", title, what,
                   columns);
}

static void end_table(oq_text *into) { oq_text_add(into, "</table></div>\n"); }

static void add_row_name(const json_t *row, const char *key, oq_text *into) {
    oq_text_add(into, "<tr><td>");
    add_text(row, key, into);
    oq_text_add(into, "</td><td class=\"left\">");
    add_text(row, "op", into);
    oq_text_add(into, "</td>");
}

// A cell of a figure; what JSON has as null, an infinite ratio, is shown as exact.
static void add_figure(const json_t *row, const char *key, int digits, oq_text *into) {
    const double value = oq_json_number(row, key);
    if (isnan(value))
        oq_text_printf(into, "<td class=\"none\">%s</td>", json_object_get(row, key) ? "exact" : "");
    else
        oq_text_printf(into, "<td>%.*f</td>", digits, value);
}

static void add_share(const json_t *row, const char *key, oq_text *into) {
    const double share = oq_json_number(row, key);
    if (isnan(share))
        oq_text_add(into, "<td></td>");
    else
        oq_text_printf(into, "<td>%.2f %%</td>", 100 * share);
}

// A horizontal bar of `share` of its width.
static void add_bar(double share, oq_text *into) {
    oq_text_printf(into,
                   "<td><svg width=\"90\" height=\"10\"><rect class=\"bar\" width=\"%.1f\" height=\"10\" "
                   "rx=\"2\"/></svg></td>",
                   isnan(share) ? 0. : 90 * fmin(fmax(share, 0), 1));
}

static void add_card(const char *title, oq_text *into) {
    oq_text_printf(into, "<div class=\"card\"><span>%s</span><b>", title);
}

static void end_card(const char *below, oq_text *into) {
    oq_text_printf(into, "</b><span>%s</span></div>\n", below);
}

static void add_cards(const json_t *root, oq_text *into) {
    char before[24], after[24], peak[24];
    const json_t *plan = json_object_get(root, "plan");
    const double macs = oq_json_number(plan, "macs"), was = oq_json_number(root, "weight_bytes_before"),
                 is = oq_json_number(root, "weight_bytes_after");
    oq_text_add(into, "<div class=\"cards\">\n");
    if (plan) {
        add_card("products on integers", into);
        oq_text_printf(into, "%zu of %zu", oq_json_count(plan, "quantized"), oq_json_count(plan, "products"));
        end_card("matrix products and convolutions", into);
        add_card("multiply-accumulates on integers", into);
        oq_text_printf(into, "%.1f %%", macs > 0 ? 100 * oq_json_number(plan, "macs_quantized") / macs : 0.);
        end_card("of all", into);
    }
    if (json_object_get(root, "rewritten")) {
        add_card("nodes rewritten", into);
        oq_text_printf(into, "%zu", oq_json_count(root, "rewritten"));
        end_card("the rest stays as it is", into);
    }
    add_card("weights", into);
    oq_text_printf(into, "%.2fx", was > 0 ? is / was : 1.);
    oq_format_bytes(before, sizeof before, (uint64_t)was);
    oq_format_bytes(after, sizeof after, (uint64_t)is);
    oq_text_printf(into, "</b><span>%s to %s</span></div>\n", before, after);
    if (json_object_get(root, "samples")) {
        add_card("calibrated on", into);
        oq_text_printf(into, "%zu samples", oq_json_count(root, "samples"));
        end_card(json_is_true(json_object_get(root, "cached")) ? "statistics from the cache" : "", into);
    }
    add_card("time", into);
    oq_text_printf(into, "%.1f s", oq_json_number(root, "seconds"));
    oq_format_bytes(peak, sizeof peak, oq_json_count(root, "peak_memory_bytes"));
    oq_text_printf(into, "</b><span>peak memory %s</span></div>\n</div>\n", peak);
}

static void add_outputs(const json_t *verify, const char *reference, oq_text *into) {
    size_t index;
    json_t *o;
    char what[96];
    if (!json_is_object(verify)) {
        oq_text_printf(into, "<p>Not compared with the %s model.</p>\n", reference);
        return;
    }
    snprintf(what, sizeof what, "Against the %s model, on %zu samples.", reference,
             oq_json_count(verify, "samples"));
    begin_table("Outputs", what,
                "<th>output</th><th>SQNR dB</th><th>cosine</th><th>least cosine</th><th>largest error</th>"
                "<th>same top class</th><th>differs in (95 % interval)</th>",
                into);
    json_array_foreach(json_object_get(verify, "outputs"), index, o) {
        oq_text_add(into, "<tr><td>");
        add_text(o, "output", into);
        oq_text_add(into, "</td>");
        add_figure(o, "sqnr_db", 2, into);
        add_figure(o, "cosine", 5, into);
        add_figure(o, "cosine_least", 5, into);
        add_figure(o, "largest_error", 4, into);
        if (json_object_get(o, "rows"))
            oq_text_printf(into, "<td>%zu of %zu</td><td>%.1f..%.1f %%</td></tr>\n",
                           oq_json_count(o, "same_top"), oq_json_count(o, "rows"),
                           100 * oq_json_number(o, "disagreement_low"),
                           100 * oq_json_number(o, "disagreement_high"));
        else
            oq_text_add(into, "<td></td><td></td></tr>\n");
    }
    end_table(into);
}

static void add_correction(const json_t *c, oq_text *into) {
    if (!json_is_object(c)) return;
    oq_text_printf(
        into,
        "<p>Tuning %s: weights of %zu layers rounded anew, biases of %zu, SQNR %.2f to %.2f dB on %zu "
        "samples held out.</p>\n",
        json_is_true(json_object_get(c, "kept")) ? "kept" : "not kept", oq_json_count(c, "layers_rounded"),
        oq_json_count(c, "layers_corrected"), oq_json_number(c, "sqnr_db_before"),
        oq_json_number(c, "sqnr_db_after"), oq_json_count(c, "judged_on"));
}

static void add_budget(const json_t *budget, oq_text *into) {
    size_t index;
    json_t *layer;
    char what[256];
    if (!json_is_object(budget)) return;
    snprintf(what, sizeof what,
             "%s=%g is %s: %.4g with all layers quantized, %.4g with these reverted to %s (%.1f %% of the "
             "multiply-accumulates), on %zu samples held out.",
             oq_json_text(budget, "metric"), oq_json_number(budget, "asked"),
             json_is_true(json_object_get(budget, "held")) ? "held" : "NOT held",
             oq_json_number(budget, "before"), oq_json_number(budget, "after"),
             oq_json_text(budget, "reverted_to"), 100 * oq_json_number(budget, "macs_share"),
             oq_json_count(budget, "judged_on"));
    begin_table("Budget", what,
                "<th>layer reverted</th><th class=\"left\">operator</th><th>loss alone</th><th>SQNR dB "
                "alone</th>",
                into);
    json_array_foreach(json_object_get(budget, "reverted"), index, layer) {
        add_row_name(layer, "node", into);
        oq_text_printf(into, "<td>%.3g</td>", oq_json_number(layer, "loss"));
        add_figure(layer, "sqnr_db", 2, into);
        oq_text_add(into, "</tr>\n");
    }
    end_table(into);
}

// Of a model that came quantized: what has no other form.
static void add_left(const json_t *left, oq_text *into) {
    size_t index;
    json_t *node;
    if (!json_array_size(left)) return;
    begin_table("Left as they are", "Nodes that keep the form in which they came.",
                "<th>node</th><th class=\"left\">operator</th><th class=\"left\">reason</th>", into);
    json_array_foreach(left, index, node) {
        add_row_name(node, "node", into);
        oq_text_add(into, "<td class=\"left why\">");
        add_text(node, "reason", into);
        oq_text_add(into, "</td></tr>\n");
    }
    end_table(into);
}

// Bytes of weights before and after, where there are any.
static void add_sizes(const json_t *row, oq_text *into) {
    char before[24], after[24];
    const size_t was = oq_json_count(row, "bytes_before"), is = oq_json_count(row, "bytes_after");
    if (was)
        oq_text_printf(into, "<td>%s to %s (%.3fx)</td>", oq_format_bytes(before, sizeof before, was),
                       oq_format_bytes(after, sizeof after, is), (double)is / (double)was);
    else
        oq_text_add(into, "<td></td>");
}

static void add_plan(const json_t *plan, oq_text *into) {
    size_t index;
    json_t *node;
    if (!json_is_object(plan)) return;
    const double macs = oq_json_number(plan, "macs");
    double most = 1;
    json_array_foreach(json_object_get(plan, "nodes"), index, node) most =
        fmax(most, oq_json_number(node, "macs"));
    begin_table("Layers", "What became of each product, and of what stays float for a reason.",
                "<th>node</th><th class=\"left\">operator</th><th class=\"left\">fate</th><th "
                "colspan=\"2\">multiply-accumulates</th><th>weights</th><th class=\"left\">reason</th>",
                into);
    json_array_foreach(json_object_get(plan, "nodes"), index, node) {
        const double share = macs > 0 ? oq_json_number(node, "macs") / macs : 0;
        const char *fate = oq_json_text(node, "fate");
        add_row_name(node, "node", into);
        oq_text_printf(into, "<td class=\"left %s\">%s</td>", fate, fate);
        add_bar(oq_json_number(node, "macs") / most, into);
        oq_text_printf(into, "<td>%.1f %%</td>", 100 * share);
        add_sizes(node, into);
        oq_text_add(into, "<td class=\"left why\">");
        add_text(node, "reason", into);
        if (json_object_get(node, "narrowed_channels"))
            oq_text_printf(into, "%zu channels with a larger scale for 16-bit sums of pairs",
                           oq_json_count(node, "narrowed_channels"));
        const json_t *zeros = json_object_get(node, "zero_channels");
        if (zeros)
            oq_text_printf(into, "%zu zero channels of the output and %zu of the input added",
                           oq_json_count(zeros, "outputs"), oq_json_count(zeros, "inputs"));
        oq_text_add(into, "</td></tr>\n");
    }
    end_table(into);
}

static void add_guards(const json_t *guards, oq_text *into) {
    size_t index;
    json_t *node;
    if (!json_array_size(guards)) return;
    begin_table("Guards", "What stays float besides, and why; --no-guards turns this off.",
                "<th>node</th><th class=\"left\">operator</th><th class=\"left\">reason</th>", into);
    json_array_foreach((json_t *)guards, index, node) {
        add_row_name(node, "node", into);
        oq_text_add(into, "<td class=\"left why\">");
        add_text(node, "reason", into);
        oq_text_add(into, "</td></tr>\n");
    }
    end_table(into);
}

// The spread of a value, as high as the logarithm of the counts: a third as many are a seventh lower.
static void add_sketch(const json_t *counts, oq_text *into) {
    double most = 1;
    size_t index;
    json_t *count;
    json_array_foreach(counts, index, count) most = fmax(most, (double)json_integer_value(count));
    oq_text_add(into, "<td><svg width=\"96\" height=\"22\">");
    json_array_foreach(counts, index, count) {
        const double n = (double)json_integer_value(count);
        const double height = n > 0 ? 22 * fmax(0.08, 1 + 2 * log10(n / most) / 7) : 0;
        oq_text_printf(into, "<rect class=\"bar\" x=\"%zu\" y=\"%.1f\" width=\"5\" height=\"%.1f\"/>",
                       6 * index, 22 - height, height);
    }
    oq_text_add(into, "</svg></td>");
}

static void add_values(const json_t *layers, oq_text *into) {
    size_t index;
    json_t *layer;
    if (!json_array_size(layers)) return;
    begin_table(
        "Where the error comes from",
        "SQNR in dB against the float model: of the value as it comes, the worst of what its layer "
        "reads, and of the layer alone. Shares of integers at the ends of their type, and of values "
        "beyond. Bars are logarithms of counts.",
        "<th>value</th><th class=\"left\">operator</th><th class=\"left\">carried as</th><th>SQNR</th>"
        "<th>arriving</th><th>arising</th><th>at ends</th><th>cut off</th><th>least</th><th>spread"
        "</th><th>greatest</th>",
        into);
    json_array_foreach(layers, index, layer) {
        const json_t *range = json_object_get(layer, "range");
        add_row_name(layer, "value", into);
        oq_text_add(into, "<td class=\"left\">");
        add_text(layer, "carrier", into);
        oq_text_add(into, "</td>");
        add_figure(layer, "sqnr_db", 2, into);
        add_figure(layer, "arriving_sqnr_db", 2, into);
        add_figure(layer, "arising_sqnr_db", 2, into);
        add_share(layer, "at_ends", into);
        add_share(layer, "cut_off", into);
        oq_text_printf(into, "<td>%.3g</td>", json_number_value(json_array_get(range, 0)));
        add_sketch(json_object_get(layer, "histogram"), into);
        oq_text_printf(into, "<td>%.3g</td></tr>\n", json_number_value(json_array_get(range, 1)));
    }
    end_table(into);
}

static void add_operators(const json_t *before, const json_t *after, oq_text *into) {
    const char *key;
    json_t *value;
    json_t *all = json_copy((json_t *)(uintptr_t)before);
    json_object_update_missing(all, (json_t *)(uintptr_t)after);
    begin_table("Operators", "How often each stands in the model.",
                "<th>operator</th><th>before</th><th>after</th>", into);
    json_object_foreach(all, key, value) {
        oq_text_add(into, "<tr><td>");
        oq_html_text(key, into);
        oq_text_printf(into, "</td><td>%zu</td><td>%zu</td></tr>\n", oq_json_count(before, key),
                       oq_json_count(after, key));
    }
    json_decref(all);
    end_table(into);
}

static void print_page(const json_t *root, oq_text *into) {
    const json_t *verify = json_object_get(root, "verify");
    oq_text_add(into, head);
    oq_text_add(into, "<title>");
    add_text(root, "model", into);
    oq_text_add(into, "</title></head><body><main>\n<h1>");
    add_text(root, "model", into);
    oq_text_printf(into, "</h1>\n<p>%s by onnxq, ",
                   json_object_get(root, "rewritten") ? "Came quantized, rewritten" : "Quantized");
    oq_text_add(into, json_object_get(root, "format") ? "format " : "mode ");
    add_text(root, json_object_get(root, "format") ? "format" : "mode", into);
    oq_text_add(into, ".</p>\n");
    if (json_is_true(json_object_get(root, "synthetic")))
        oq_text_add(into,
                    "<p class=\"warn\">No data were given: ranges and figures come from made-up samples and "
                    "say little about real inputs.</p>\n");
    add_cards(root, into);
    add_outputs(verify, json_object_get(root, "rewritten") ? "given" : "float", into);
    add_correction(json_object_get(root, "tuning"), into);
    add_budget(json_object_get(root, "budget"), into);
    add_plan(json_object_get(root, "plan"), into);
    add_guards(json_object_get(json_object_get(root, "plan"), "guards"), into);
    add_left(json_object_get(root, "left"), into);
    add_values(json_object_get(verify, "layers"), into);
    add_operators(json_object_get(root, "operators_before"), json_object_get(root, "operators_after"), into);
    oq_text_add(into, "</main></body></html>\n");
}

oq_status oq_html_convert(oq_mem *mem, const json_t *root, oq_report *report, oq_error *err) {
    oq_text html;
    oq_text_init(&html, mem);
    print_page(root, &html);
    if (!html.failed) {
        report->html = html.data;
        return ONNXQ_OK;
    }
    oq_text_release(&html);
    oq_report_release(mem, report);
    return oq_fail(err, ONNXQ_NO_MEMORY, "out of memory while writing a report");
}
