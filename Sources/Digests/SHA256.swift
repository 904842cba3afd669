// SHA-256, the digest by which files, data and parameters are compared.

import CCrypto

/// A SHA-256 digest that is fed piece by piece.
///
/// It is the digest of the concatenated pieces. libcrypto computes it, with the CPU's SHA instructions
/// if it has them.
/// Source: FIPS 180-4, section 6.2.
public struct SHA256: ~Copyable {
  /// The number of bytes of a finished digest.
  public static let byteCount = 32

  private let context: OpaquePointer

  /// Starts an empty digest.
  public init() {
    guard let context = EVP_MD_CTX_new(), EVP_DigestInit_ex(context, EVP_sha256(), nil) == 1 else {
      preconditionFailure("libcrypto has no SHA-256")
    }
    self.context = context
  }

  deinit { EVP_MD_CTX_free(context) }

  /// Appends bytes.
  ///
  /// - Complexity: about 0.5 ns per byte; no allocation.
  public mutating func update(_ bytes: UnsafeRawBufferPointer) {
    guard let start = bytes.baseAddress, bytes.count > 0 else { return }
    precondition(EVP_DigestUpdate(context, start, bytes.count) == 1, "SHA-256 failed")
  }

  /// Appends bytes.
  ///
  /// - Complexity: about 0.5 ns per byte; no allocation.
  public mutating func update(_ bytes: [UInt8]) {
    bytes.withUnsafeBytes { update($0) }
  }

  /// Appends the UTF-8 bytes of a string, without its length or a terminator.
  public mutating func update(_ text: String) {
    update(Array(text.utf8))
  }

  /// Appends the eight bytes of a number, least significant first.
  public mutating func update(_ number: UInt64) {
    withUnsafeBytes(of: number.littleEndian) { update($0) }
  }

  /// Returns the 32 bytes of the digest and ends it.
  public consuming func finalize() -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: SHA256.byteCount)
    precondition(EVP_DigestFinal_ex(context, &digest, nil) == 1, "SHA-256 failed")
    return digest
  }

  /// Returns the digest as 64 lower-case hexadecimal digits and ends it.
  public consuming func finalizeHex() -> String {
    hexadecimal(finalize())
  }

  /// Returns the digest of some bytes as 64 lower-case hexadecimal digits.
  public static func hex(of bytes: [UInt8]) -> String {
    var digest = SHA256()
    digest.update(bytes)
    return digest.finalizeHex()
  }
}

/// Returns bytes as lower-case hexadecimal digits, two per byte.
public func hexadecimal(_ bytes: some Sequence<UInt8>) -> String {
  let digits = Array("0123456789abcdef".utf8)
  var text: [UInt8] = []
  for byte in bytes {
    text.append(digits[Int(byte >> 4)])
    text.append(digits[Int(byte & 15)])
  }
  return String(decoding: text, as: UTF8.self)
}
