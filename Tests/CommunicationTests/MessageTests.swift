import Communication
import Testing

@Suite("Messages of disagreement")
struct MessageTests {
  @Test("group ranks by value")
  func groups() {
    let values = ["a", "a", "b", "a", "c"]
    #expect(
      Disagreement(name: "binary", values: values).description
        == "binary differs: ranks 0–1, 3: 'a', rank 2: 'b', rank 4: 'c'")
  }

  @Test("show the first line that differs")
  func lines() {
    let values = ["seed: 1\nepochs: 10\nx", "seed: 1\nepochs: 11\ny", "seed: 1\nepochs: 10\nx"]
    #expect(
      Disagreement(name: "configuration", values: values).description
        == "configuration differs in line 2: ranks 0, 2: 'epochs: 10', rank 1: 'epochs: 11'")
  }

  @Test("show a line that is missing")
  func missing() {
    #expect(
      Disagreement(name: "list", values: ["a\nb", "a"]).description
        == "list differs in line 2: rank 0: 'b', rank 1: no such line")
  }

  @Test("name the launcher and what to use instead")
  func launcher() {
    let error = CommunicationError.launcherUnsupported(name: "srun without PMIx", processCount: 4)
    #expect(
      error.description
        == "started by srun without PMIx as one of 4 processes, which this program cannot talk to; "
        + "start it with Open MPI's mpirun, or under Slurm with srun --mpi=pmix")
  }
}
