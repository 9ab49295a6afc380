// A molecule of any size, in blocks of memory as long as its text: the members of Molecule, with 32-bit numbers.
#pragma once

#include "molecule/molecule.h"
#include "molecule/work_memory.h"

namespace catalase {
namespace {

// A block that is freed at the end of the scope.
template <class T>
class Block {
 public:
  Block(const WorkMemory& memory, std::size_t count) : memory_(memory) {
    data_ = static_cast<T*>(memory.allocate(count * sizeof(T)));
  }
  ~Block() { memory_.release(data_); }
  Block(const Block&) = delete;
  Block& operator=(const Block&) = delete;
  T* get() const { return data_; }
  void swap(Block& other) {
    T* data = data_;
    data_ = other.data_;
    other.data_ = data;
  }

 private:
  WorkMemory memory_;
  T* data_;
};

// A list that grows up to a limit; full() is true once it cannot grow, and later values are lost.
template <class T>
class List {
 public:
  List(const WorkMemory& memory, std::size_t limit) : memory_(memory), block_(memory, kStart), limit_(limit) {}
  void push(T value) {  // a copy: it may lie in the block that is freed
    if (count_ == room_ && !grow()) return;
    block_.get()[count_++] = value;
  }
  std::size_t count() const { return count_; }
  void shrink(std::size_t count) { count_ = count; }
  bool full() const { return full_; }
  T& operator[](std::size_t i) { return block_.get()[i]; }

 private:
  static constexpr std::size_t kStart = 1024;

  bool grow() {
    if (full_ || 2 * room_ > limit_) return full_ = true, false;
    Block<T> wider(memory_, 2 * room_);
    __builtin_memcpy(static_cast<void*>(wider.get()), block_.get(), count_ * sizeof(T));
    block_.swap(wider);
    room_ *= 2;
    return true;
  }

  WorkMemory memory_;
  Block<T> block_;
  std::size_t count_ = 0, room_ = kStart, limit_;
  bool full_ = false;
};

struct LargeMolecule {
  using Number = u32;
  static constexpr Number kNone = ~0u;
  unsigned max_atoms() const { return room; }
  unsigned max_bonds() const { return room; }
  unsigned max_closures() const { return room; }
  unsigned words() const { return room / 64 + 1; }
  unsigned bonds() const { return atoms + closures; }

  unsigned room, directions;
  unsigned atoms, closures;
  bool stereo_marks, wide, hydrogen_atoms;
  u64 *written_aromatic, *aromatic_bonds;
  Atom* atom;
  u32 (*neighbour)[kMaxDegree];
  u32 (*bond)[kMaxDegree];
  u32 *begin, *end, *stack;
  u8* order;
  Closure* closure;
  u32 *taken_before, *directed;
  u8* direction;
};

// Atoms and bonds of a text are no more than its characters, including old and new numbers of ring bonds.
struct LargeMemory {
  LargeMemory(const WorkMemory& memory, std::int64_t length)
      : room(static_cast<unsigned>(length) + 8),
        sets(memory, 2 * (room / 64 + 1)),
        atom(memory, room),
        slots(memory, 2 * std::size_t{room}),
        numbers(memory, 5 * std::size_t{room}),
        order(memory, 2 * std::size_t{room}),
        closure(memory, room) {}
  LargeMolecule molecule() const {
    LargeMolecule m{};
    m.room = room;
    m.written_aromatic = sets.get();
    m.aromatic_bonds = sets.get() + m.words();
    m.atom = atom.get();
    m.neighbour = slots.get();
    m.bond = slots.get() + room;
    m.begin = numbers.get();
    m.end = numbers.get() + room;
    m.stack = numbers.get() + 2 * std::size_t{room};
    m.taken_before = numbers.get() + 3 * std::size_t{room};
    m.directed = numbers.get() + 4 * std::size_t{room};
    m.order = order.get();
    m.direction = order.get() + room;
    m.closure = closure.get();
    return m;
  }

 private:
  unsigned room;
  Block<u64> sets;
  Block<Atom> atom;
  Block<u32[kMaxDegree]> slots;
  Block<u32> numbers;
  Block<u8> order;
  Block<Closure> closure;
};

}  // namespace
}  // namespace catalase
