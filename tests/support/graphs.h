// Small graphs from text, so that a test shows what it is about.
#ifndef OQ_TESTS_GRAPHS_H
#define OQ_TESTS_GRAPHS_H

#include "graph/graph.h"

// Lines (leading blanks and lines of # are skipped):
//   in x float32[2,N]                     graph input
//   const w float32[3,4] 1 2 3 ..         initializer; the last number is repeated
//   random w float32[3,4] 7 0.5           initializer: uniform in [-0.5, 0.5] from seed 7
//   y = Gemm(x, w, ) alpha=0.5 perm=[0,1] mode="edge" name="first"     node; empty: input left out
//   a, b = Split(x) axis=1
//   out y z                               graph outputs
// The model imports ai.onnx at `opset`, with ir_version 8 (10 from opset 21). A mistake in the text fails the
// test.
oq_model *test_graph(oq_mem *mem, int64_t opset, const char *text);
oq_value_id test_value(const oq_model *model, const char *name); // fails the test when it is not there
// The live node that makes a value of the main graph, or fails the test.
oq_node *test_producer(const oq_model *model, const char *value);
size_t test_count(const oq_model *model, const char *op_type); // live nodes of the main graph

// Of the constant weights of what makes `producer`: the largest weight over the smallest of the rows'
// largest.
double test_row_spread(oq_model *model, const char *producer);

#endif
