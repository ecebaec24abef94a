import NIOCore
import NIOEmbedded
import Testing

@testable import EdgeNode

/// A listening channel that is asked to read takes in one connection each time, as long as it is not told to wait.
struct AcceptPacingTests {
    private final class Reads: ChannelOutboundHandler {
        typealias OutboundIn = Channel
        var count = 0
        func read(context: ChannelHandlerContext) { count += 1 }
    }

    @Test func aFloodIsTakenInBySteps() throws {
        let reads = Reads()
        let channel = EmbeddedChannel(handlers: [reads, AcceptPacing()])
        func flood(_ count: Int) {
            for _ in 0..<count {
                let before = reads.count
                channel.pipeline.read()
                guard reads.count > before else { return }
                channel.pipeline.fireChannelRead(EmbeddedChannel() as any Channel)
            }
        }
        flood(1_000)
        #expect(reads.count == AcceptPacing.perStep)
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(AcceptPacing.stepMs))
        #expect(reads.count == AcceptPacing.perStep + 1, "the read that was held back")
        channel.pipeline.fireChannelRead(EmbeddedChannel() as any Channel)
        flood(1_000)
        #expect(reads.count == 2 * AcceptPacing.perStep)
        _ = try channel.finish()
    }
}
