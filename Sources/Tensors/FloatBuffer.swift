/// An owned, zero-initialised buffer of `Float`, aligned to a cache line.
///
/// A final class with one owner: the memory lives as long as the object. It is not synchronised;
/// whoever shares it between threads orders the accesses.
public final class FloatBuffer: @unchecked Sendable {
  /// The alignment of every buffer, in bytes: a cache line, and a whole AVX-512 register.
  public static let alignment = 64

  /// The elements.
  public let pointer: UnsafeMutablePointer<Float>
  /// The number of elements.
  public let count: Int

  /// Allocates `count` zeros.
  ///
  /// - Complexity: O(count), one allocation.
  public init(count: Int) {
    precondition(count >= 0, "negative count \(count)")
    let byteCount = max(count, 1) * MemoryLayout<Float>.stride
    let raw = UnsafeMutableRawPointer.allocate(
      byteCount: byteCount, alignment: FloatBuffer.alignment)
    pointer = raw.bindMemory(to: Float.self, capacity: max(count, 1))
    pointer.update(repeating: 0, count: count)
    self.count = count
  }

  deinit { pointer.deallocate() }

  /// The elements as a buffer, to read or write in place.
  public var elements: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}
