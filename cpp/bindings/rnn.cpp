// Recurrent cells. Inputs are contiguous, except the weights, whose rows have unit stride.
#include "rnn/rnn.h"

#include "bindings/codes.h"

namespace catalase {
namespace {

template <class T>
const T* optional_input(const py::object& array, Index size) {
  if (array.is_none()) return nullptr;
  const auto given = py::cast<py::array>(array);
  require(given.size() == size, "rnn: an array has an unexpected size");
  return input<T>(given);
}
template <class T>
T* optional_output(const py::object& array, Index size) {
  if (array.is_none()) return nullptr;
  auto given = py::cast<py::array>(array);
  require(given.size() == size, "rnn: an array has an unexpected size");
  return output<T>(given);
}

template <class T>
MatrixView<const T> weights(const py::array& w, Index rows, Index cols) {
  auto view = matrix_view<const T>(w);
  require(view.rows == rows && view.cols == cols, "rnn: weights do not fit");
  require(view.col_stride == 1 || rows == 0 || cols <= 1, "rnn: the rows of weights must have unit stride");
  view.col_stride = 1;
  return view;
}

// The common part of the forward and the backward call.
template <class T, class Call>
void fill(Call& call, int cell, const py::array& x, const py::array& w_x, const py::array& w_h,
          const py::object& lengths, bool reverse) {
  require(x.ndim() == 3 && w_h.ndim() == 2, "rnn: unexpected number of axes");
  call.cell = code(cell, Cell::kLstm, "rnn: unknown cell"), call.reverse = reverse;
  call.batch = x.shape(0), call.inputs = x.shape(2), call.hidden = w_h.shape(0);
  call.axis = call.batch == 0 ? 0 : x.shape(1);  // without sequences there are no time steps
  const Index width = gates_of(call.cell) * call.hidden;
  call.x = input<T>(x);
  call.w_x = weights<T>(w_x, call.inputs, width);
  call.w_h = weights<T>(w_h, call.hidden, width);
  call.lengths = optional_input<Index>(lengths, call.batch);
  for (Index n = 0; n < call.batch && call.lengths != nullptr; ++n) {
    require(call.lengths[n] >= 0 && call.lengths[n] <= call.axis, "rnn: a length is out of range");
  }
}

// Rows of the states and of the gates.
struct Kept {
  Index states, gates;
};
template <class Call>
Kept kept_rows(const Call& call) {
  Index total = 0, longest = 0, last = 0;
  for (Index n = 0; n < call.batch; ++n) {
    const Index own = call.lengths == nullptr ? call.axis : call.lengths[n];
    total += own;
    if (own > longest) longest = own, last = 0;
    last += own == longest;
  }
  return {call.batch + total, call.batch + total - last};
}

template <class T>
py::tuple forward(int cell, const py::array& x, const py::array& w_x, const py::array& w_h, const py::array& b,
                  const py::object& h0, const py::object& c0, const py::object& lengths, bool reverse, bool keep,
                  py::array& y) {
  RnnForward<T> call{};
  fill<T>(call, cell, x, w_x, w_h, lengths, reverse);
  const Index H = call.hidden, state_size = call.batch * H;
  const bool gru = call.cell == Cell::kGru, lstm = call.cell == Cell::kLstm;
  require(b.size() == (gru ? 6 * H : gates_of(call.cell) * H), "rnn: b does not fit");
  require(y.size() == call.batch * call.axis * H, "rnn: y does not fit");
  call.b = input<T>(b);
  call.h0 = optional_input<T>(h0, state_size), call.c0 = optional_input<T>(c0, state_size);
  call.y = output<T>(y);
  const Kept rows = kept_rows(call);
  py::object h = new_matrix<T>(call.batch, H), c = py::none(), gates = py::none(), candidates = py::none();
  py::object states = py::none(), cells = py::none();
  if (lstm) c = new_matrix<T>(call.batch, H);
  if (keep) {
    states = new_matrix<T>(rows.states, H);
    if (gru || lstm) gates = new_matrix<T>(rows.gates, gates_of(call.cell) * H);
    if (gru) candidates = new_matrix<T>(rows.gates, H);
    if (lstm) cells = new_matrix<T>(rows.states, H);
  }
  call.h = optional_output<T>(h, state_size), call.c = optional_output<T>(c, state_size);
  call.gates = optional_output<T>(gates, rows.gates * gates_of(call.cell) * H);
  call.candidates = optional_output<T>(candidates, rows.gates * H);
  call.states = optional_output<T>(states, rows.states * H), call.cells = optional_output<T>(cells, rows.states * H);
  {
    KernelScope scope;
    rnn_forward<T>(call);
  }
  return py::make_tuple(h, c, gates, candidates, states, cells);
}

template <class T>
void backward(int cell, const py::array& x, const py::array& w_x, const py::array& w_h, const py::object& lengths,
              bool reverse, const py::tuple& kept, const py::tuple& gradients, const py::object& dx, py::array& dw_x,
              py::array& dw_h, py::array& db, const py::object& dh0, const py::object& dc0) {
  RnnBackward<T> call{};
  fill<T>(call, cell, x, w_x, w_h, lengths, reverse);
  const Index H = call.hidden, state_size = call.batch * H, width = gates_of(call.cell) * H;
  const bool gru = call.cell == Cell::kGru, lstm = call.cell == Cell::kLstm;
  const Kept rows = kept_rows(call);
  require(kept.size() == 4 && gradients.size() == 3, "rnn_backward: four kept arrays and three gradients are needed");
  require(!kept[2].is_none() && (!(gru || lstm) || !kept[0].is_none()) && (!gru || !kept[1].is_none()) &&
              (!lstm || !kept[3].is_none()) && !dh0.is_none() && (!lstm || !dc0.is_none()),
          "rnn_backward: an array is missing");
  call.gates = optional_input<T>(kept[0], rows.gates * width);
  call.candidates = optional_input<T>(kept[1], rows.gates * H);
  call.states = optional_input<T>(kept[2], rows.states * H);
  call.cells = optional_input<T>(kept[3], rows.states * H);
  call.dy = optional_input<T>(gradients[0], state_size * call.axis);
  call.dh = optional_input<T>(gradients[1], state_size), call.dc = optional_input<T>(gradients[2], state_size);
  require(dw_x.size() == call.inputs * width && dw_h.size() == H * width && db.size() == (gru ? 2 : 1) * width,
          "rnn_backward: gradients do not fit");
  call.dx = optional_output<T>(dx, x.size());
  call.dw_x = output<T>(dw_x), call.dw_h = output<T>(dw_h), call.db = output<T>(db);
  call.dh0 = optional_output<T>(dh0, state_size), call.dc0 = optional_output<T>(dc0, state_size);
  KernelScope scope;
  rnn_backward<T>(call);
}

}  // namespace

CATALASE_BINDING(rnn, m) {
  m.attr("CELLS") =
      codes<Cell>({{"tanh", Cell::kTanh}, {"relu", Cell::kRelu}, {"gru", Cell::kGru}, {"lstm", Cell::kLstm}});
  m.def(
      "rnn_forward",
      [](int cell, const py::array& x, const py::array& w_x, const py::array& w_h, const py::array& b,
         const py::object& h0, const py::object& c0, const py::object& lengths, bool reverse, bool keep, py::array y) {
        return by_type(x,
                       [&]<class T>() { return forward<T>(cell, x, w_x, w_h, b, h0, c0, lengths, reverse, keep, y); });
      },
      py::arg("cell"), py::arg("x"), py::arg("w_x"), py::arg("w_h"), py::arg("b"), py::arg("h0"), py::arg("c0"),
      py::arg("lengths"), py::arg("reverse"), py::arg("keep"), py::arg("y"));
  m.def(
      "rnn_backward",
      [](int cell, const py::array& x, const py::array& w_x, const py::array& w_h, const py::object& lengths,
         bool reverse, const py::tuple& kept, const py::tuple& gradients, const py::object& dx, py::array dw_x,
         py::array dw_h, py::array db, const py::object& dh0, const py::object& dc0) {
        by_type(x, [&]<class T>() {
          backward<T>(cell, x, w_x, w_h, lengths, reverse, kept, gradients, dx, dw_x, dw_h, db, dh0, dc0);
        });
      },
      py::arg("cell"), py::arg("x"), py::arg("w_x"), py::arg("w_h"), py::arg("lengths"), py::arg("reverse"),
      py::arg("kept"), py::arg("gradients"), py::arg("dx"), py::arg("dw_x"), py::arg("dw_h"), py::arg("db"),
      py::arg("dh0"), py::arg("dc0"));
}

}  // namespace catalase
