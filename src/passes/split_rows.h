// Splitting of layers by rows, the inside: which rows share a scale, and how nodes become a few.
#ifndef OQ_PASSES_SPLIT_ROWS_H
#define OQ_PASSES_SPLIT_ROWS_H

#include "passes/passes.h"

enum { OQ_MOST_ROW_PARTS = 8, OQ_MOST_SPLIT_NODES = 12 };
#define OQ_NO_CHANNEL SIZE_MAX

// Layers that are cut together, so that each part is some of the channels of all of them and has one scale in
// each. Rows of channel c of layer l: size[l * channels + c], the square of their largest weight, and
// weight[l * channels + c], what a unit of a step's square costs.
typedef struct oq_row_parts {
    oq_mem *mem;
    size_t layers, channels;
    const double *size, *weight;
    size_t step;     // parts are cut at multiples of so many channels
    double price;    // a part more must be worth this, in the unit of the errors; 0: a share of the whole
    size_t *part_of; // [channels] filled
    size_t parts;
} oq_row_parts;

// Parts of layers of so many channels are cut at multiples of this.
size_t oq_split_step(size_t channels);

// split_parts.c: least error plus price. Parts are cut in two where that gains most, and after each cut every
// two of them are cut anew together.
oq_status oq_row_parts_find(oq_row_parts *r, oq_error *err);
// The least worth of a part more, for an error of the whole.
double oq_row_parts_price(double price, double whole);
// Squared error of one layer, by the rows of one part.
double oq_row_parts_error(const oq_row_parts *r, size_t layer, size_t part);

// Nodes in a row that become a few rows of nodes, each with some of the channels.
typedef struct oq_row_split {
    oq_graph *graph;
    const oq_split_rows_options *options;
    oq_stats *stats;
    oq_node *nodes[OQ_MOST_SPLIT_NODES]; // the first is a dense convolution
    size_t node_count;
    size_t channels;
    size_t *order; // [width] channels, part by part; OQ_NO_CHANNEL: one of zeros, once parts are filled up
    size_t width;
    size_t parts, end[OQ_MOST_ROW_PARTS]; // the parts' ends in `order`
} oq_row_split;

// split_write.c: its constant weights, where a node is a quantized convolution whose bias, if any, is
// constant; else NULL.
const oq_constant *oq_split_weight(const oq_row_split *s, const oq_node *node);
bool oq_split_is_dense(const oq_row_split *s, const oq_node *node);
bool oq_split_is_depthwise(const oq_row_split *s, const oq_node *node); // of s->channels, one row each
// Treats all channels alike, each for itself.
bool oq_split_is_channelwise(oq_graph *graph, const oq_node *node);
// Puts the parts and a Concat, whose output is *joined, beside the nodes; these are removed, and what reads
// the last of them is left to the caller.
oq_status oq_split_write(const oq_row_split *s, oq_value_id *joined, oq_error *err);
// Rows s->order[from..to) of a constant as a new initializer.
oq_status oq_split_take_rows(const oq_row_split *s, oq_value_id of, const char *name, size_t from, size_t to,
                             oq_value_id *out, oq_error *err);
// Whether a node reads all channels with constant weights, as a dense convolution or a Gemm; its weights are
// [..., channels, *inner].
bool oq_split_reader(const oq_row_split *s, const oq_node *node, size_t *inner);
// A reader's constant, [rows, channels * ...], with the channels along axis 1 in the new order.
oq_status oq_split_reorder_reader(const oq_row_split *s, oq_node *reader, oq_error *err);

// split_measure.c: what errors of the channels that `reader` reads cost at its outputs: squares of its
// weights [channels], added to `gain`, and the power of what its outputs come to, added to *signal (nothing
// where it is not known).
oq_status oq_split_measure_reader(const oq_row_split *s, const oq_node *reader, double *gain, double *signal,
                                  oq_error *err);
// Of a layer whose rows are the channels: the squares of its rows' largest weights, and what a unit of the
// step's square costs, when an error of its outputs costs `gain`, which becomes what an error of its inputs
// costs when it is depthwise. All [channels].
oq_status oq_split_measure_rows(const oq_row_split *s, const oq_node *layer, double *size, double *weight,
                                double *gain, oq_error *err);
// What a part more of a layer must be worth, where errors are shares of a signal's power: it costs a node
// more, and its inputs are read once more. 0 where the signal is not known.
double oq_split_price(const oq_row_split *s, const oq_node *layer, double signal);

// split_sums.c: the layers that write values which are summed up, pooled or read more than once, whose
// channels get a new order everywhere.
oq_status oq_split_sums(oq_graph *graph, const oq_split_rows_options *options, oq_stats *stats, size_t *count,
                        oq_error *err);

#endif
