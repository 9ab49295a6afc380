// SMILES to descriptors.
#include "descriptor/descriptor.h"

#include "bindings/chunks.h"

namespace catalase {
namespace {

#define CATALASE_DESCRIPTOR_NAME(name) #name,
constexpr const char* kDescriptorNames[] = {CATALASE_DESCRIPTORS(CATALASE_DESCRIPTOR_NAME)};
#undef CATALASE_DESCRIPTOR_NAME

void descriptor_list(const py::list& smiles, const py::array& columns, py::array rows, py::array status, int threads) {
  const Index n = static_cast<Index>(smiles.size());
  require(columns.ndim() == 1 && rows.ndim() == 2 && rows.shape(0) == n && rows.shape(1) == columns.shape(0),
          "rows do not fit");
  require(status.ndim() == 1 && status.shape(0) == n, "status does not fit");
  require(threads >= 1, "threads must be 1 or more");
  DescriptorBatch batch{};
  batch.column = input<std::int32_t>(columns);
  batch.columns = columns.shape(0);
  for (Index j = 0; j < batch.columns; ++j) {
    require(batch.column[j] >= 0 && batch.column[j] < static_cast<int>(Descriptor::kCount), "no such descriptor");
  }
  auto* values = output<double>(rows);
  auto* reasons = output<std::uint8_t>(status);
  in_chunks(smiles, false, [&](const char* const* text, const std::int64_t* length, Index start, Index count) {
    batch.text = text;
    batch.length = length;
    batch.molecules = count;
    batch.rows = values + start * batch.columns;
    batch.status = reasons + start;
    descriptors(batch, threads);
  });
}

}  // namespace

CATALASE_BINDING(descriptor, m) {
  py::dict numbers;  // by name
  int count = 0;
  for (const char* name : kDescriptorNames) numbers[name] = count++;
  m.attr("DESCRIPTORS") = numbers;
  m.def("descriptors", &descriptor_list, py::arg("smiles"), py::arg("columns"), py::arg("rows"), py::arg("status"),
        py::arg("threads"));
}

}  // namespace catalase
