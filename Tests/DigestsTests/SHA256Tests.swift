import Digests
import Testing

@Suite("SHA-256")
struct SHA256Tests {
  @Test(
    "gives the known answers of FIPS 180",
    arguments: [
      ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
      ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
      (
        "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
        "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
      ),
    ])
  func knownAnswers(text: String, digest: String) {
    #expect(SHA256.hex(of: Array(text.utf8)) == digest)
  }

  @Test(
    "of a million letters a is the known answer, in pieces of any length",
    arguments: [1, 63, 64, 4097])
  func millionLetters(piece: Int) {
    var digest = SHA256()
    var rest = 1_000_000
    let letters = [UInt8](repeating: UInt8(ascii: "a"), count: piece)
    while rest > 0 {
      let count = min(rest, piece)
      letters.withUnsafeBytes { digest.update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
      rest -= count
    }
    #expect(
      digest.finalizeHex() == "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0")
  }

  @Test("takes a number as eight bytes, least significant first, and a string as its UTF-8")
  func numbersAndText() {
    var digest = SHA256()
    digest.update(0x0807_0605_0403_0201 as UInt64)
    digest.update("é")
    #expect(digest.finalizeHex() == SHA256.hex(of: [1, 2, 3, 4, 5, 6, 7, 8, 0xC3, 0xA9]))
  }

  @Test("empty pieces change nothing")
  func emptyPieces() {
    var digest = SHA256()
    digest.update([])
    digest.update(UnsafeRawBufferPointer(start: nil, count: 0))
    #expect(digest.finalize().count == SHA256.byteCount)
  }

  @Test("hexadecimal digits are lower case, two per byte")
  func digits() {
    #expect(hexadecimal([0, 15, 16, 255]) == "000f10ff")
  }
}
