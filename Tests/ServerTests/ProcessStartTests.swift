import Testing

@testable import ProcessStart

@Suite("The words of the command line")
struct ProcessStartTests {
    @Test("When Swift does not know them the kernel does; when nobody does, that is not an empty command line")
    func arguments() {
        #expect(ProcessArguments.choose(["a", "b"]) { Array("x\0".utf8) } == ["a", "b"])
        #expect(ProcessArguments.choose([]) { Array("etclite\0--name\0\0é\0".utf8) } == ["etclite", "--name", "", "é"])
        #expect(ProcessArguments.choose([]) { [] } == nil)
        #expect(ProcessArguments.choose([]) { nil } == nil)
        #expect(ProcessArguments.all?.isEmpty == false)
    }
}
