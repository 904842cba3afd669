import Glibc

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
  /// Where there is no memory for them the process ends with one line and the status of input and output, as
  /// nothing that was asked for can be done.
  ///
  /// - Complexity: O(count), one allocation.
  public init(count: Int) {
    precondition(count >= 0, "negative count \(count)")
    let byteCount = max(count, 1) * MemoryLayout<Float>.stride
    var raw: UnsafeMutableRawPointer?
    guard posix_memalign(&raw, FloatBuffer.alignment, byteCount) == 0, let raw else {
      endWithoutMemory(byteCount: byteCount)
    }
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

  deinit { if owner == nil { free(pointer) } }

  /// The elements as a buffer, to read or write in place.
  public var elements: UnsafeMutableBufferPointer<Float> {
    UnsafeMutableBufferPointer(start: pointer, count: count)
  }
}

/// Ends the process, which Swift's own allocation would do by a signal.
private func endWithoutMemory(byteCount: Int) -> Never {
  let line = Array("nndist: found no memory for \(byteCount) bytes\n".utf8)
  _ = write(STDERR_FILENO, line, line.count)
  _exit(74)
}
