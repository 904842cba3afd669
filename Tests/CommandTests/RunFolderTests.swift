// What becomes of a run when its folder, or a file in it, is not what it was or what it should be.

import Foundation
import TestSupport
import Testing

@Suite("Folder of a run", .serialized, .timeLimit(.minutes(5)))
struct RunFolderTests {
  /// Runs a shell script in the folder; `$nndist` is the program.
  private func shell(_ script: String, in place: Workplace) throws -> LaunchResult {
    try run(
      "/bin/sh", "-c", script, environment: ["nndist": try builtProgram("nndist").path],
      directory: place.url, timeLimit: .seconds(60))
  }

  /// A run that does not end, once it has written a checkpoint; `$p` is its process.
  private static let endless = """
    "$nndist" train iris.yaml --output run --set epochs=1000000 --set checkpoint.every=50 >log 2>&1 &
    p=$!
    until ls run/checkpoints/step-*.h5 >/dev/null 2>&1; do sleep 0.02; done

    """

  @Test(
    "ends the run with 74 when it is moved, removed or replaced, and is not made anew",
    arguments: [
      "mv run moved", "mv run moved; mkdir run", "rm -rf run",
      "mv run moved; ln -s moved/checkpoints run",
      "mv run/checkpoints moved",
    ])
  func displaced(change: String) throws {
    let place = try Workplace()
    // What is removed while it is written to takes rm more than one try.
    let result = try shell(
      RunFolderTests.endless + "until { \(change); } 2>/dev/null; do :; done; wait $p", in: place)
    #expect(result.status == 74, "\(result)")
    let log = try place.folder.text(of: "log")
    if change != "rm -rf run" {
      #expect(
        log.contains(
          "nndist: run: removed, moved or replaced while in use, expected the folder to ")
          || log.contains("nndist: run/checkpoints: removed, moved or replaced while in use"),
        "\(log)")
    }
    switch change {
    case "mv run moved", "rm -rf run": #expect(!place.exists("run"))
    case "mv run moved; mkdir run": #expect(try place.names("run").isEmpty)
    default: break
    }
    guard change.hasPrefix("mv run moved") else { return }
    // The run goes on where its folder is now.
    let status = try contents(of: place.folder.file("moved/status.json"))
    #expect(String(decoding: status, as: UTF8.self).contains("\"state\": \"stopped\""))
    try place.succeed("train", "iris.yaml", "--output", "moved")
  }

  @Test(
    "without the records of the run, or with fewer, ends it",
    arguments: ["rm run/metrics.jsonl", ": >run/metrics.jsonl"])
  func records(change: String) throws {
    let place = try Workplace()
    let result = try shell(
      RunFolderTests.endless + "until [ -s run/metrics.jsonl ]; do :; done; \(change); wait $p",
      in: place)
    #expect(result.status == 74, "\(result)")
    let log = try place.folder.text(of: "log")
    #expect(
      log.contains("run/metrics.jsonl: Stale file handle, expected the file that this run writes"),
      "\(log)")
  }

  @Test("of a run in use lets nobody else in, by any path and without its lock file")
  func inUse() throws {
    let place = try Workplace()
    let result = try shell(
      RunFolderTests.endless + """
        ln -s run link
        "$nndist" train iris.yaml --output link; echo $?
        rm run/.lock
        "$nndist" train iris.yaml --output run; echo $?
        kill -9 $p
        """, in: place)
    #expect(result.output == "73\n73\n", "\(result)")
  }

  @Test("beyond the limit of file sizes ends with 74, no temporary file, and a run to go on with")
  func sizeLimit() throws {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "whole")
    // Some of the shells' units are 512 bytes, some 1024: from less than a status to less than a checkpoint.
    for limit in [0, 1, 4, 8] {
      let name = "run-\(limit)"
      let result = try shell(
        "(ulimit -f \(limit); exec \"$nndist\" train iris.yaml --output \(name)) 2>&1 | cat",
        in: place)
      #expect(result.output.contains(": File too large, expected "), "\(result)")
      let again = try shell(
        "ulimit -f \(limit); exec \"$nndist\" train iris.yaml --output \(name) >/dev/null 2>/dev/null",
        in: place)
      #expect(again.status == 74, "\(again)")
      if limit == 8 {
        let status = try contents(of: place.folder.file(name + "/status.json"))
        #expect(String(decoding: status, as: UTF8.self).contains("\"state\": \"stopped\""))
      }
      for folder in [name, name + "/checkpoints"] where place.exists(folder) {
        #expect(try place.names(folder).allSatisfy { !$0.hasSuffix(".partial") })
      }
      try place.succeed("train", "iris.yaml", "--output", name)
      #expect(try place.digest(name, step: 12) == place.digest("whole", step: 12))
    }
  }

  @Test("may be reached through links, and keep its checkpoints behind one")
  func linkedFolders() throws {
    let place = try Workplace()
    let result = try shell(
      """
      mkdir -p scratch/runs elsewhere run && ln -s scratch/runs runs && ln -s ../elsewhere run/checkpoints
      "$nndist" train iris.yaml && "$nndist" train iris.yaml --output run
      """, in: place)
    #expect(result.status == 0, "\(result)")
    #expect(place.exists("scratch/runs/1/status.json"))
    #expect(place.exists("elsewhere/step-0000000012.h5"))
    #expect(try place.digest("runs/1", step: 12) == place.digest("run", step: 12))
  }

  @Test("with a link or FIFO by the name of a file is refused by name, or the link is replaced")
  func otherKinds() throws {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "whole", "--set", "epochs=1")
    for (name, linked) in [
      (".lock", 74), ("metrics.jsonl", 74), ("status.json", 0), ("config.yaml", 74),
      ("checkpoints/step-0000000006.h5", 65), ("checkpoints/step-0000000012.h5", 0),
      ("checkpoints/best.json", 0),
    ] as [(String, Int32)] {
      for kind in ["ln -s \"$PWD/victim\"", "mkfifo"] {
        let result = try shell(
          """
          rm -rf run && cp -r whole run && rm -f run/\(name) && echo precious >victim
          \(kind) run/\(name) && exec "$nndist" train iris.yaml --output run
          """, in: place)
        #expect(
          try contents(of: place.folder.file("victim")) == Array("precious\n".utf8), "\(name)")
        let expected = kind == "mkfifo" && name == "status.json" ? 74 : linked
        #expect(
          result.status == (kind == "mkfifo" && linked == 65 ? 65 : expected),
          "\(kind) \(name): \(result)")
        if result.status == 74 { #expect(result.error.contains("run/\(name): "), "\(result)") }
      }
    }
  }

  @Test("FIFOs are refused at once by every command that reads a file")
  func fifos() throws {
    let place = try Workplace()
    try place.succeed("train", "iris.yaml", "--output", "run")
    for name in ["c.yaml", "c.h5", "c.txt", "c.idx"] { mkfifo(place.folder.file(name), 0o600) }
    let checkpoint = "run/checkpoints/step-0000000012.h5"
    for (arguments, status) in [
      ("train c.yaml", 78), ("train c.yaml --dry-run", 78), ("check c.yaml", 78),
      ("graph c.yaml", 78), ("graph c.h5", 65), ("graph c.txt", 64), ("check c.txt", 64),
      ("checkpoint info c.h5", 65), ("checkpoint digest c.h5", 65), ("data info c.h5", 65),
      ("evaluate c.h5 --data c.h5", 65), ("evaluate \(checkpoint) --data c.h5", 65),
      ("predict \(checkpoint) --data c.h5 --output p.h5", 65),
      ("predict \(checkpoint) --data \(bundled("iris")) --output c.h5 --replace", 74),
      ("data import idx --samples c.idx --labels c.idx --output d.h5", 65),
      ("train iris.yaml --output new --init-from c.h5", 65),
      ("train iris.yaml --output new --set data.test=c.h5", 65),
      ("graph x*x --output c.txt", 74), ("train iris.yaml --output c.h5", 74),
    ] as [(String, Int32)] {
      let result = try run(
        "nndist", arguments: arguments.split(separator: " ").map(String.init), directory: place.url,
        timeLimit: .seconds(20))
      #expect(result.status == status, "\(arguments): \(result)")
      #expect(result.error.split(separator: "\n").count == 1, "\(arguments): \(result)")
    }
  }

  @Test("pipes are read where a file is read once, from front to back")
  func pipes() throws {
    let place = try Workplace()
    let result = try shell(
      """
      printf '\\000\\000\\010\\001\\000\\000\\000\\002\\000\\001' >labels
      printf '\\000\\000\\010\\002\\000\\000\\000\\002\\000\\000\\000\\001\\005\\006' |
        "$nndist" data import idx --samples /dev/stdin --labels labels --output pipe.h5
      cat iris.yaml | "$nndist" train /dev/stdin
      """, in: place)
    #expect(result.status == 78)
    #expect(
      result.error == "nndist: /dev/stdin: is a FIFO or a pipe, expected a configuration file\n")
    #expect(result.output == "pipe.h5: 2 rows of [1]\n")
  }

  @Test("devices and what links lead to stay what they are when they are written to")
  func outputs() throws {
    let place = try Workplace()
    let result = try shell(
      """
      ln -s /dev/null null && echo old >there.txt && ln -s there.txt link.txt
      "$nndist" graph 'x^2' --as text --output null && "$nndist" graph 'x^2' --output link.txt --as expression
      "$nndist" graph 'x^2' --as expression --output /dev/stdout | cat
      test -c null && test -L link.txt && cat there.txt
      """, in: place)
    #expect(result.status == 0, "\(result)")
    let lines = result.output.split(separator: "\n")
    #expect(lines.count == 2 && lines.first == lines.last, "\(result)")
  }
}
