/// A buffer of `Float`, aligned to a cache line: memory of its own, or part of another object's.
///
/// A final class with one owner: the memory lives as long as the object. It is not synchronised;
/// whoever shares it between threads or processes orders the accesses.
public final class FloatBuffer: @unchecked Sendable {
  /// The alignment of every buffer, in bytes: a cache line, and a whole AVX-512 register.
  public static let alignment = 64

  /// The elements.
  public let pointer: UnsafeMutablePointer<Float>
  /// The number of elements.
  public let count: Int
  /// The object that owns the memory; nil if this one does.
  private let owner: AnyObject?

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
    owner = nil
  }

  /// Uses memory of another object in place, as it is.
  ///
  /// - Parameters:
  ///   - pointer: The first element, on a cache line.
  ///   - count: The number of elements.
  ///   - owner: Holds the memory at least as long as it lives itself.
  public init(at pointer: UnsafeMutablePointer<Float>, count: Int, owner: AnyObject) {
    precondition(
      Int(bitPattern: pointer) % FloatBuffer.alignment == 0, "a buffer off a cache line")
    self.pointer = pointer
    self.count = count
    self.owner = owner
  }

  deinit { if owner == nil { pointer.deallocate() } }

  /// The elements as a buffer, to read or write in place.
  public var elements: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}
