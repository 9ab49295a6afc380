// Reads a molecule again and checks each of its bracket atoms.
#include "molecule/valence_problems.h"

#include "molecule/large_molecule.h"
#include "molecule/molecule.h"
#include "molecule/smiles.h"
#include "molecule/valence.h"

namespace catalase {

namespace {

std::int64_t problems_of(LargeMolecule& m, ValenceProblem* problems, std::int64_t room) {
  if (add_hydrogens(m) != kRefused) return -1;
  std::int64_t count = 0;
  for (unsigned i = 0; i < m.atoms; ++i) {
    const Atom& atom = m.atom[i];
    if (atom.kind != kKindBracket || check_bracket(atom, m.stereo_marks) != kRefused) continue;
    const char* symbol = kSymbols + 2 * (atom.element - 1);
    const char second = symbol[1] == ' ' ? '\0' : symbol[1];
    if (count < room) problems[count] = {i, {symbol[0], second, '\0'}, atom.twice_valence / 2};
    ++count;
  }
  return count;
}

}  // namespace

std::int64_t valence_problems(const char* text, std::int64_t length, const WorkMemory& memory, ValenceProblem* problems,
                              std::int64_t room) {
  if (length > kMaxText) return -1;
  const LargeMemory blocks(memory, length);
  LargeMolecule m = blocks.molecule();
  if (read_smiles(text, text + length, m) != kNative) return -1;
  return problems_of(m, problems, room);
}

}  // namespace catalase
