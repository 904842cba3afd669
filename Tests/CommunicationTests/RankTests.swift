import Foundation
import TestSupport
import Testing

@Suite("Collectives over ranks", .serialized, .timeLimit(.minutes(5)))
struct CollectiveTests {
  @Test(
    "give the expected values for 0, 1, a prime and 2²⁰ + 1 elements", arguments: [1, 2, 3, 4])
  func values(ranks: Int) throws {
    let result = try launch("RankChecks", "collectives", ranks: ranks)
    #expect(result.status == 0, "\(result)")
  }

  @Test("exchange uneven ranges", arguments: [1, 2, 3, 4])
  func exchange(ranks: Int) throws {
    let result = try launch("RankChecks", "exchange", ranks: ranks)
    #expect(result.status == 0, "\(result)")
  }

  @Test("share memory in groups, and wait for each other there", arguments: [1, 2, 3, 5])
  func memory(ranks: Int) throws {
    let result = try launch("RankChecks", "memory", ranks: ranks)
    #expect(result.status == 0, "\(result)")
  }

  @Test("ranks of one host know each other and share its cores", arguments: [1, 3])
  func placement(ranks: Int) throws {
    let result = try launch("RankChecks", "placement", ranks: ranks)
    #expect(result.status == 0, "\(result)")
  }

  @Test(
    "refuse ranks that disagree, with one line from root and one status",
    arguments: [
      (
        "count", 70,
        "ranks call different collectives: ranks 0–1: allreduce (sum) of 4 Int64, "
          + "rank 2: allreduce (sum) of 5 Int64"
      ),
      (
        "type", 70,
        "ranks call different collectives: ranks 0–1: allreduce (sum) of 4096 Float, "
          + "rank 2: allreduce (sum) of 2048 Int64"
      ),
      (
        "reduction", 70,
        "ranks call different collectives: ranks 0–1: allreduce (max) of 1 Int64, "
          + "rank 2: allreduce (min) of 1 Int64"
      ),
      (
        "root", 70,
        "ranks call different collectives: ranks 0–1: broadcast from 0, rank 2: broadcast from 1"
      ),
      ("collective", 70, "ranks call different collectives: ranks 0–1: allgather, rank 2: barrier"),
      ("exchange", 70, "rank 2 sends 3 floats to rank 0, which expects 2"),
      (
        "extent", 78,
        "rank 2 of 3: exchange between ranks: 2147483648 elements, at most 2147483647 can be sent "
          + "at once"
      ),
      ("value", 78, "program differs: ranks 0–1: 'binary false', rank 2: 'binary true'"),
    ])
  func disagreement(kind: String, status: Int32, line: String) throws {
    let result = try launch("RankChecks", "differ", kind, ranks: 3)
    #expect(result.status == status, "\(result)")
    #expect(result.error == line + "\n")
  }
}

@Suite("Errors over ranks", .serialized, .timeLimit(.minutes(5)))
struct FailureTests {
  @Test(
    "end the job with one line and the status of the error",
    arguments: [
      (["all"], 65, "train.h5: no such file"),
      (["one", "2"], 65, "rank 2 of 3: row 7: label 12 of 10"),
      (["one", "0"], 65, "rank 0 of 3: row 7: label 12 of 10"),
      (["some"], 71, "rank 1 of 3: reason 1"),
      (["alone", "1"], 74, "rank 1 of 3: disk full"),
    ])
  func line(arguments: [String], status: Int32, line: String) throws {
    let result = try launch("RankChecks", arguments: ["fail"] + arguments, ranks: 3)
    #expect(result.status == status, "\(result)")
    #expect(result.error == line + "\n")
    #expect(result.duration < .seconds(20))
  }

  @Test("leave the ranks able to go on together")
  func after() throws {
    let result = try launch("RankChecks", "fail", "after", ranks: 3)
    #expect(result.status == 0, "\(result)")
  }

  @Test("an abort ends all ranks with its status", arguments: [(0, 75), (1, 255), (2, 1)])
  func abort(rank: Int, status: Int32) throws {
    let result = try launch("RankChecks", "fail", "abort", "\(rank)", "\(status)", ranks: 3)
    #expect(result.status == status, "\(result)")
  }

  @Test("an abort by MPI ends all ranks with its status too")
  func abortByMPI() throws {
    let result = try launch(
      "RankChecks", "fail", "abort", "1", "75", "--abort-by-mpi", ranks: 3)
    #expect(result.status == 75, "\(result)")
  }

  @Test("an abort never reads as success")
  func abortOutOfRange() throws {
    let result = try launch("RankChecks", "fail", "abort", "1", "256", ranks: 2)
    #expect(result.status == 70, "\(result)")
  }
}

@Suite("Lost ranks", .serialized, .timeLimit(.minutes(5)))
struct LostRankTests {
  @Test("a killed rank ends the job", arguments: [0, 2])
  func killed(rank: Int) throws {
    let result = try launch("RankChecks", "lost", "killed", "\(rank)", ranks: 3)
    #expect(result.status == 137, "\(result)")
    #expect(result.error.hasPrefix("rank \(rank) on "))
    #expect(result.error.hasSuffix(": killed by signal 9 (Killed)\n"))
    #expect(result.duration < .seconds(20))
  }

  @Test("a rank that leaves without a word ends the job")
  func left() throws {
    let result = try launch("RankChecks", "lost", "left", "1", ranks: 3)
    #expect(result.status != 0, "\(result)")
    #expect(result.error == "rank 1: left without ending MPI\n")
  }

  @Test("a crash of mpirun itself after the ranks hides neither their status nor their line")
  func crash() throws {
    let folder = try TemporaryFolder()
    let mpirun = try folder.write(
      Array(
        """
        #!/usr/bin/env bash
        real=$(command -v mpirun.openmpi || command -v mpirun)
        [[ $1 != --version ]] || exec "$real" --version
        "$real" "$@"
        kill -SEGV $$

        """.utf8), to: "mpirun")
    chmod(mpirun, 0o755)
    let lost = try launch(
      "RankChecks", "lost", "stopped", "1", "finish", "--stopped-limit", "2", ranks: 3,
      environment: ["NNDIST_MPIRUN": mpirun])
    #expect(lost.status == 76, "\(lost)")
    #expect(lost.error.filter { $0 == "\n" }.count == 1, "\(lost)")
    let done = try launch(
      "RankChecks", "placement", ranks: 2, environment: ["NNDIST_MPIRUN": mpirun])
    #expect(done.status == 139, "\(done)")
    #expect(
      done.error == "launch/mpirun: \(mpirun) itself was ended by signal 11 (SEGV)\n", "\(done)")
  }

  @Test(
    "a stopped rank ends the job with one line and status 76",
    arguments: [(0, "barrier"), (2, "barrier"), (1, "finish"), (1, "memory")])
  func stopped(rank: Int, collective: String) throws {
    let name = collective == "memory" ? "shared memory" : collective
    let result = try launch(
      "RankChecks", "lost", "stopped", "\(rank)", collective, "--stopped-limit", "2", ranks: 3)
    #expect(result.status == 76, "\(result)")
    let speaker = rank == 0 ? 1 : 0
    #expect(result.error.hasPrefix("rank \(speaker) of 3: rank \(rank) (pid "))
    #expect(result.error.hasSuffix(" is stopped; waited 2 s for it in \(name)\n"))
    #expect(result.error.filter { $0 == "\n" }.count == 1)
    #expect(result.duration < .seconds(30))
  }

  @Test("a stopped rank ends the job by MPI too")
  func stoppedByMPI() throws {
    let result = try launch(
      "RankChecks", "lost", "stopped", "1", "--stopped-limit", "2", "--abort-by-mpi", ranks: 3)
    #expect(result.status == 76, "\(result)")
  }

  @Test(
    "a rank that is stopped before MPI is up ends the job, also behind a shell", arguments: [0, 2])
  func stoppedAtStart(rank: Int) throws {
    let program = try builtProgram("RankChecks").path
    for start in ["kill -STOP $$; exec", "(kill -STOP $BASHPID; exec sleep 1) && exec"] {
      let script = """
        if [[ $OMPI_COMM_WORLD_RANK == \(rank) ]]; then \(start) \(program) placement; fi
        exec \(program) placement --stopped-limit 2
        """
      let result = try launch("/bin/bash", arguments: ["-c", script], ranks: 3)
      #expect(result.status == 76, "\(result)")
      let speaker = rank == 0 ? 1 : 0
      #expect(
        result.error.hasPrefix("rank \(speaker) of 3: rank \(rank) (pid "), "\(result)")
      // Another rank says it too where mpirun takes long to end those that are left.
      for line in result.error.split(separator: "\n") {
        #expect(line.contains(": rank \(rank) (pid "), "\(result)")
        #expect(line.contains(" is stopped; waited "), "\(result)")
        #expect(line.hasSuffix(" s for MPI to start"), "\(result)")
      }
      #expect(result.duration < .seconds(30))
    }
  }

  @Test("a rank that leaves before MPI is up ends the job")
  func leftAtStart() throws {
    let program = try builtProgram("RankChecks").path
    let script = """
      if [[ $OMPI_COMM_WORLD_RANK == 1 ]]; then exit 0; fi
      sleep 1; exec \(program) placement --stopped-limit 2
      """
    let result = try launch("/bin/bash", arguments: ["-c", script], ranks: 2)
    #expect(result.status == 76, "\(result)")
    #expect(result.error.hasPrefix("rank 0 of 2: rank 1 has ended; waited "), "\(result)")
    #expect(result.duration < .seconds(30))
  }

  @Test("a start that takes longer than the limit ends the job")
  func lateAtStart() throws {
    let program = try builtProgram("RankChecks").path
    let script = """
      if [[ $OMPI_COMM_WORLD_RANK == 1 ]]; then sleep 60; fi
      exec \(program) placement --collective-limit 2
      """
    let result = try launch("/bin/bash", arguments: ["-c", script], ranks: 2)
    #expect(result.status == 76, "\(result)")
    #expect(result.error == "rank 0 of 2: not all ranks have come; waited 2 s for MPI to start\n")
    #expect(result.duration < .seconds(30))
  }

  @Test("a rank that is slow but at work is waited for")
  func slow() throws {
    let result = try launch(
      "RankChecks", "lost", "slow", "1", "--stopped-limit", "1", "--collective-limit", "1",
      ranks: 3)
    #expect(result.status == 0, "\(result)")
  }

  @Test("a program that is late is killed with all it started")
  func late() throws {
    #expect(throws: LaunchError.self) {
      try launch("RankChecks", "lost", "slow", "1", ranks: 2, timeLimit: .seconds(1))
    }
  }
}
