// Plots as SVG: layout in pixels, colours as classes that follow the page's light or dark scheme.
#include "report/plot.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum {
    WIDTH = 760,
    LEFT = 56, // of the plotting area
    RIGHT = 24,
    TOP = 64,
    LEGEND = 24,        // height of its line
    PANEL = 170,        // height of a panel's plotting area
    GAP = 46,           // between panels: the lower one's title
    BOTTOM = 52,        // axis of categories and its title
    COLOURS = 6,        // series beyond them are dashed
    MOST_TICKS = 5,     // grid lines of a panel
    LEAST_FIGURE = 30,  // pixels a category needs for a figure at its point
    LEGEND_ENTRY = 150, // pixels
};

// Colours of Okabe and Ito (2008), told apart by colour-blind readers; lighter ones on dark pages.
static const char style[] =
    "<style>\n"
    "text{font:12px system-ui,sans-serif;fill:#24292f}\n"
    ".page{fill:#fff}.title{font-size:16px;font-weight:600}.small{font-size:10.5px}\n"
    ".figure{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}\n"
    ".quiet{fill:#57606a}.grid{stroke:#d8dee4}.axis{stroke:#8c959f}\n"
    ".line{fill:none;stroke-width:2;stroke-linejoin:round}.reference{stroke:#57606a;stroke-dasharray:5 4}\n"
    ".c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}\n"
    ".c3{stroke:#cc79a7}.c4{stroke:#b38000}.c5{stroke:#56b4e9}\n"
    ".f0{fill:#0072b2}.f1{fill:#d55e00}.f2{fill:#009e73}.f3{fill:#cc79a7}.f4{fill:#b38000}.f5{fill:#56b4e9}\n"
    ".dashed{stroke-dasharray:2 3}\n"
    "@media (prefers-color-scheme:dark){text{fill:#e6edf3}.page{fill:#0d1117}.quiet{fill:#9198a1}\n"
    ".figure{stroke:#0d1117}"
    ".grid{stroke:#2a313c}.axis{stroke:#656c76}.reference{stroke:#9198a1}\n"
    ".c0{stroke:#4ea8de}.c1{stroke:#f4894a}.c2{stroke:#2fc99e}\n"
    ".c3{stroke:#e5a3c7}.c4{stroke:#e8b93c}.c5{stroke:#9bd3f5}\n"
    ".f0{fill:#4ea8de}.f1{fill:#f4894a}.f2{fill:#2fc99e}.f3{fill:#e5a3c7}.f4{fill:#e8b93c}.f5{fill:#9bd3f5}}"
    "\n"
    "</style>\n";

// --- text ---

// U+FFFE and U+FFFF, as UTF-8.
static bool is_noncharacter(const char *at) {
    return !strncmp(at, "\xef\xbf\xbe", 3) || !strncmp(at, "\xef\xbf\xbf", 3);
}

static void add_escaped(oq_text *into, const char *text) {
    for (const char *at = text; *at; at++) {
        const unsigned char byte = (unsigned char)*at;
        if (byte == '&')
            oq_text_add(into, "&amp;");
        else if (byte == '<')
            oq_text_add(into, "&lt;");
        else if (byte == '>')
            oq_text_add(into, "&gt;");
        else if (byte == '"')
            oq_text_add(into, "&quot;");
        else if (byte < 0x20 || byte == 0x7f)
            oq_text_add(into, " ");
        else if (is_noncharacter(at))
            oq_text_add(into, "?"), at += 2;
        else
            oq_text_add_bytes(into, at, 1);
    }
}

static void add_label(oq_text *into, double x, double y, const char *anchor, const char *class,
                      const char *text) {
    oq_text_printf(into, "<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\" class=\"%s\">", x, y, anchor, class);
    add_escaped(into, text);
    oq_text_add(into, "</text>\n");
}

static void add_line(oq_text *into, double x1, double y1, double x2, double y2, const char *class) {
    oq_text_printf(into, "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" class=\"%s\"/>\n", x1, y1, x2,
                   y2, class);
}

// --- scales ---

typedef struct scale {
    double low, high, step;
    int decimals; // that its ticks need
} scale;

// The least of 1, 2, 5 times a power of ten that is not below `least`.
static double nice_step(double least) {
    const double power = pow(10, floor(log10(least)));
    const double factors[] = {1, 2, 5, 10};
    for (size_t i = 0; i < 3; i++)
        if (factors[i] * power >= least * (1 - 1e-9)) return factors[i] * power;
    return 10 * power;
}

static scale scale_of(const oq_plot_panel *panel, size_t count) {
    double low = panel->from_zero ? 0 : (double)NAN, high = low;
    for (size_t s = 0; s < panel->series_count; s++)
        for (size_t i = 0; i < count; i++) {
            if (!isfinite(panel->series[s].y[i])) continue;
            low = fmin(low, panel->series[s].y[i]);
            high = fmax(high, panel->series[s].y[i]);
        }
    low = fmin(low, panel->reference);
    high = fmax(high, panel->reference);
    if (isnan(low)) low = 0, high = 1;
    if (high - low < 1e-9 * fmax(fabs(high), 1)) low -= panel->from_zero ? 0 : 1, high += 1;
    scale out = {.step = nice_step((high - low) / MOST_TICKS)};
    out.low = floor(low / out.step + 1e-9) * out.step;
    out.high = ceil(high / out.step - 1e-9) * out.step;
    const double digits = -floor(log10(out.step) + 1e-9);
    out.decimals = digits > 0 ? (int)digits : 0;
    return out;
}

// Where things are: a panel's area from `top` down.
typedef struct area {
    const oq_plot *plot;
    const oq_plot_panel *panel;
    scale scale;
    double top;
    oq_text *into;
} area;

static double x_of(const oq_plot *plot, size_t i) {
    const double slot = (double)(WIDTH - LEFT - RIGHT) / (double)plot->x_count;
    return LEFT + ((double)i + .5) * slot;
}

static double y_of(const area *a, double value) {
    return a->top + PANEL * (a->scale.high - value) / (a->scale.high - a->scale.low);
}

// --- one panel ---

static void draw_grid(const area *a) {
    char text[48];
    const long ticks = lround((a->scale.high - a->scale.low) / a->scale.step);
    for (long t = 0; t <= ticks; t++) {
        const double value = a->scale.low + (double)t * a->scale.step, y = y_of(a, value);
        add_line(a->into, LEFT, y, WIDTH - RIGHT, y, t ? "grid" : "axis");
        // A sum of steps may miss 0 by a rounding error: no "-0".
        snprintf(text, sizeof text, "%.*f", a->scale.decimals,
                 fabs(value) < a->scale.step * 1e-6 ? 0. : value);
        add_label(a->into, LEFT - 8, y + 4, "end", "small quiet", text);
    }
    add_label(a->into, LEFT, a->top - 12, "start", "", a->panel->title);
}

static void draw_reference(const area *a) {
    if (isnan(a->panel->reference)) return;
    const double y = y_of(a, a->panel->reference);
    add_line(a->into, LEFT, y, WIDTH - RIGHT, y, "reference");
    add_label(a->into, WIDTH - RIGHT, y - 5, "end", "small quiet", a->panel->reference_name);
}

static void add_tooltip(const area *a, size_t s, size_t i) {
    const oq_plot_series *series = &a->panel->series[s];
    oq_text_add(a->into, "<title>");
    if (a->panel->series_count > 1) add_escaped(a->into, series->name), oq_text_add(a->into, ", ");
    add_escaped(a->into, a->plot->x[i]);
    oq_text_printf(a->into, ": %.*f</title>", a->panel->decimals, series->y[i]);
}

static void draw_figure(const area *a, size_t i, double value) {
    char text[48];
    const double slot = (double)(WIDTH - LEFT - RIGHT) / (double)a->plot->x_count, y = y_of(a, value);
    if (a->panel->series_count > 1 || slot < LEAST_FIGURE) return;
    snprintf(text, sizeof text, "%.*f", a->panel->decimals, value);
    add_label(a->into, x_of(a->plot, i), y - 8 < a->top ? y + 16 : y - 8, "middle", "small figure", text);
}

static void draw_bars(const area *a) {
    const double slot = (double)(WIDTH - LEFT - RIGHT) / (double)a->plot->x_count,
                 width = fmin(slot * .6, 36);
    for (size_t i = 0; i < a->plot->x_count; i++) {
        const double value = a->panel->series[0].y[i];
        if (!isfinite(value)) continue;
        oq_text_printf(a->into,
                       "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" rx=\"2\" class=\"f0\">",
                       x_of(a->plot, i) - width / 2, y_of(a, value), width, y_of(a, 0) - y_of(a, value));
        add_tooltip(a, 0, i);
        oq_text_add(a->into, "</rect>\n");
        draw_figure(a, i, value);
    }
}

// A line breaks where a value is missing.
static void draw_line(const area *a, size_t s) {
    const double *y = a->panel->series[s].y;
    bool open = false;
    for (size_t i = 0; i < a->plot->x_count; i++) {
        if (isfinite(y[i]) && !open)
            oq_text_printf(a->into, "<path class=\"line c%zu%s\" d=\"M", s % COLOURS,
                           s < COLOURS ? "" : " dashed");
        if (isfinite(y[i]))
            oq_text_printf(a->into, "%s%.1f %.1f", open ? "L" : "", x_of(a->plot, i), y_of(a, y[i]));
        else if (open)
            oq_text_add(a->into, "\"/>\n");
        open = isfinite(y[i]);
    }
    if (open) oq_text_add(a->into, "\"/>\n");
}

static void draw_points(const area *a, size_t s) {
    for (size_t i = 0; i < a->plot->x_count; i++) {
        const double value = a->panel->series[s].y[i];
        if (!isfinite(value)) continue;
        oq_text_printf(a->into, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"f%zu\">", x_of(a->plot, i),
                       y_of(a, value), s % COLOURS);
        add_tooltip(a, s, i);
        oq_text_add(a->into, "</circle>\n");
        draw_figure(a, i, value);
    }
}

static void draw_panel(const area *a) {
    draw_grid(a);
    draw_reference(a);
    const bool bars = a->panel->from_zero && a->panel->series_count == 1;
    if (bars) draw_bars(a);
    for (size_t s = 0; !bars && s < a->panel->series_count; s++) draw_line(a, s);
    for (size_t s = 0; !bars && s < a->panel->series_count; s++) draw_points(a, s);
}

// --- the whole ---

static size_t legend_columns(void) { return (WIDTH - LEFT - RIGHT) / LEGEND_ENTRY; }

// Lines of the legend; all panels have the same series.
static size_t legend_lines(const oq_plot *plot) {
    const size_t count = plot->panels[0].series_count;
    return count > 1 ? (count + legend_columns() - 1) / legend_columns() : 0;
}

static void draw_legend(const oq_plot *plot, oq_text *into) {
    for (size_t s = 0; legend_lines(plot) && s < plot->panels[0].series_count; s++) {
        const double x = LEFT + LEGEND_ENTRY * (double)(s % legend_columns()),
                     y = TOP + LEGEND * (double)(s / legend_columns());
        oq_text_printf(into, "<path class=\"line c%zu%s\" d=\"M%.1f %.1fh22\"/>\n", s % COLOURS,
                       s < COLOURS ? "" : " dashed", x, y - 4);
        oq_text_printf(into, "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"3.5\" class=\"f%zu\"/>\n", x + 11, y - 4,
                       s % COLOURS);
        add_label(into, x + 28, y, "start", "small", plot->panels[0].series[s].name);
    }
}

static void draw_categories(const oq_plot *plot, double y, oq_text *into) {
    for (size_t i = 0; i < plot->x_count; i++)
        add_label(into, x_of(plot, i), y + 18, "middle", "small", plot->x[i]);
    add_label(into, LEFT + (WIDTH - LEFT - RIGHT) / 2., y + 40, "middle", "quiet", plot->x_title);
}

void oq_plot_svg(const oq_plot *plot, oq_text *into) {
    const size_t legend = legend_lines(plot) * LEGEND;
    const size_t height = TOP + legend + plot->panel_count * (PANEL + GAP) + BOTTOM - GAP / 2;
    oq_text_printf(into,
                   "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\" viewBox=\"0 0 %d "
                   "%zu\" role=\"img\">\n<title>",
                   WIDTH, height, WIDTH, height);
    add_escaped(into, plot->title);
    oq_text_add(into, "</title>\n");
    oq_text_add(into, style);
    oq_text_printf(into, "<rect class=\"page\" width=\"%d\" height=\"%zu\"/>\n", WIDTH, height);
    add_label(into, LEFT, 28, "start", "title", plot->title);
    add_label(into, LEFT, 47, "start", "quiet", plot->subtitle);
    draw_legend(plot, into);
    double top = TOP + (double)legend + GAP / 2.;
    for (size_t p = 0; p < plot->panel_count; p++, top += PANEL + GAP) {
        const oq_plot_panel *panel = &plot->panels[p];
        draw_panel(&(area){plot, panel, scale_of(panel, plot->x_count), top, into});
    }
    draw_categories(plot, top - GAP, into);
    oq_text_add(into, "</svg>\n");
}
