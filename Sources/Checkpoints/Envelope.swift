// The user block in front of the HDF5 image, which distinguishes whole checkpoints from damaged ones.

import Digests
import Files

/// The 512 bytes in front of a checkpoint's HDF5 image, which HDF5 calls the user block and skips.
///
/// | bytes | contents |
/// |---|---|
/// | 0–15 | `nndist-ckpt`, CR, LF, 0x1A, LF, 0 |
/// | 16–23 | format version, little-endian |
/// | 24–31 | byte count of the image, little-endian |
/// | 32–63 | SHA-256 of bytes 0–31 and the image |
/// | 64–511 | zero |
enum Envelope {
  static let byteCount = 512
  static let version: UInt64 = 1
  private static let magic = Array("nndist-ckpt\r\n\u{1A}\n\0".utf8)
  private static let signature: [UInt8] = [0x89, 0x48, 0x44, 0x46, 0x0D, 0x0A, 0x1A, 0x0A]

  /// Fills the first 512 bytes of `file` for the image in the other bytes.
  static func seal(_ file: UnsafeMutableRawBufferPointer) {
    let image = UnsafeRawBufferPointer(rebasing: file[byteCount...])
    var head = magic
    append(version, to: &head)
    append(UInt64(image.count), to: &head)
    var digest = SHA256()
    digest.update(head)
    digest.update(image)
    let block = head + digest.finalize()
    for index in 0..<byteCount { file[index] = index < block.count ? block[index] : 0 }
  }

  /// Checks a file's bytes against its user block.
  ///
  /// - Parameter path: The file.
  /// - Returns: True if the file is verified; false for a plain HDF5 file, which has no such block.
  /// - Throws: ``CheckpointError/damaged(path:found:expected:)`` if a byte is not as it was written.
  /// - Complexity: O(bytes), about 0.5 ns per byte on top of reading.
  static func verify(_ path: String) throws(CheckpointError) -> Bool {
    let file = try files { () throws(FileError) in try Descriptor(path, .read) }
    let fileByteCount = try files { () throws(FileError) in try file.byteCount() }
    var buffer = [UInt8](repeating: 0, count: max(byteCount, min(fileByteCount, 1 << 20)))
    let blockByteCount = try read(file, into: &buffer, count: byteCount)
    let block = Array(buffer[..<blockByteCount])
    func damaged(_ found: String, _ expected: String) -> CheckpointError {
      .damaged(path: path, found: found, expected: expected)
    }
    if block.starts(with: signature) { return false }
    guard block.starts(with: magic.prefix(max(block.count, 1))) else {
      throw damaged("neither the start of a checkpoint nor of an HDF5 file", "a checkpoint")
    }
    guard block.count == byteCount else {
      throw damaged("\(fileByteCount) bytes", "more than \(byteCount)")
    }
    let found = number(block[16..<24])
    guard found == version else { throw damaged("format version \(found)", "version \(version)") }
    let (expected, isTooLarge) = number(block[24..<32]).addingReportingOverflow(UInt64(byteCount))
    guard !isTooLarge, UInt64(fileByteCount) == expected else {
      throw damaged("\(fileByteCount) bytes", "\(expected)")
    }
    var digest = SHA256()
    digest.update(Array(block[..<32]))
    while true {
      let count = try read(file, into: &buffer, count: buffer.count)
      if count == 0 { break }
      buffer.withUnsafeBytes { digest.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
    }
    let (actual, written) = (digest.finalize(), Array(block[32..<64]))
    guard actual == written else {
      throw damaged(
        "bytes of digest \(hexadecimal(actual.prefix(8)))…",
        "\(hexadecimal(written.prefix(8)))…")
    }
    guard block[64...].allSatisfy({ $0 == 0 }) else {
      throw damaged("other bytes than zeros in front of the image", "zeros")
    }
    return true
  }

  private static func read(
    _ file: Descriptor, into buffer: inout [UInt8], count: Int
  ) throws(CheckpointError) -> Int {
    try buffer.withUnsafeMutableBufferPointer { (buffer) throws(CheckpointError) in
      let piece = UnsafeMutableRawBufferPointer(
        rebasing: UnsafeMutableRawBufferPointer(buffer)[..<count])
      return try files { () throws(FileError) in try file.read(into: piece) }
    }
  }

  private static func append(_ number: UInt64, to bytes: inout [UInt8]) {
    for shift in stride(from: 0, to: 64, by: 8) {
      bytes.append(UInt8(truncatingIfNeeded: number >> shift))
    }
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
