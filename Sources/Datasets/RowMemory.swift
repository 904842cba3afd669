// Memory for the rows of a split.

internal import Glibc

/// Memory for the rows or labels of a file, private or shared with other processes of the host.
public final class RowMemory: @unchecked Sendable {
  /// The memory.
  public let bytes: UnsafeMutableRawBufferPointer
  /// The object that owns the memory; nil if this one does.
  public let owner: AnyObject?

  /// Allocates private memory of zeros; nil if the system has none left.
  ///
  /// Rows are visited in random order, so it asks for huge pages: with small ones nearly every row misses
  /// the TLB.
  ///
  /// - Parameter byteCount: The size.
  public init?(byteCount: Int) {
    let address = mmap(
      nil, max(1, byteCount), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
    guard let address, address != MAP_FAILED else { return nil }
    if byteCount >= 2 << 20 { madvise(address, byteCount, MADV_HUGEPAGE) }
    bytes = UnsafeMutableRawBufferPointer(start: address, count: max(1, byteCount))
    owner = nil
  }

  /// Wraps memory of another object.
  ///
  /// - Parameters:
  ///   - bytes: The memory, aligned to 8 bytes.
  ///   - owner: The object that keeps the memory alive.
  public init(_ bytes: UnsafeMutableRawBufferPointer, owner: AnyObject) {
    self.bytes = bytes
    self.owner = owner
  }

  deinit { if owner == nil { munmap(bytes.baseAddress, bytes.count) } }
}

/// Class numbers in memory, by row.
struct Labels: RandomAccessCollection, @unchecked Sendable {
  private let numbers: UnsafeBufferPointer<Int32>
  private let memory: RowMemory?

  /// Creates an empty collection.
  init() { (numbers, memory) = (UnsafeBufferPointer(start: nil, count: 0), nil) }

  /// Uses the first `count` numbers in some memory.
  init(_ memory: RowMemory, count: Int) {
    let all = memory.bytes.bindMemory(to: Int32.self)
    numbers = UnsafeBufferPointer(rebasing: all[..<count])
    self.memory = memory
  }

  var startIndex: Int { 0 }
  var endIndex: Int { numbers.count }
  subscript(row: Int) -> Int32 { numbers[row] }
}
