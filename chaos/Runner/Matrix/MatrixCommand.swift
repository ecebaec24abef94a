import HoldfastClient

/// `matrix`, `check` and `report`: what is not one of the fixed scenarios.
enum MatrixCommand {
    /// The exit code; `nil` if the words are none of these.
    static func run(_ words: [String]) async -> Int32? {
        do {
            switch words.first {
            case "matrix": return try await matrix(Array(words.dropFirst()))
            case "check" where words.count == 2: return try check(words[1])
            case "report" where words.count == 3:
                try ReportPage.write(directory: words[1], to: words[2])
                return 0
            default: return nil
            }
        } catch let fault as Options.UsageFault {
            complain("\(fault)\n\(MatrixOptions.usage)")
            return 2
        } catch {
            complain("\(error)")
            return 1
        }
    }

    private static func matrix(_ words: [String]) async throws -> Int32 {
        let options = try MatrixOptions(words)
        let broken = await brokenPairs(options)
        if let report = options.report { try ReportPage.write(directory: options.directory, to: report) }
        print(
            "\(options.pairs.count) pairs, \(broken.count) with broken promises"
                + broken.map { "\n    " + $0 }.joined())
        return broken.isEmpty ? 0 : 1
    }

    /// Each with why, in the order in which they ended. A pair that has no result is broken; the others are worth their
    /// time all the same.
    private static func brokenPairs(_ options: MatrixOptions) async -> [String] {
        var waiting = options.pairs[...]
        var broken: [String] = []
        await withTaskGroup(of: (Int, String?).self) { lanes in
            func fill(_ lane: Int) {
                guard let (nemesis, workload) = waiting.popFirst() else { return }
                let pair = Pair(options.lane(lane), nemesis, workload)
                lanes.addTask {
                    do {
                        return (lane, try await pair.execute() ? nil : pair.name)
                    } catch {
                        complain("\(pair.name): \(error)")
                        return (lane, "\(pair.name): no result, \(error)")
                    }
                }
            }
            for lane in 0..<options.jobs { fill(lane) }
            for await (lane, fault) in lanes {
                if let fault { broken.append(fault) }
                fill(lane)
            }
        }
        return broken
    }

    private static func check(_ path: String) throws -> Int32 {
        let verdicts = TranscriptCheck.check(try TranscriptFile.read(path))
        for verdict in verdicts {
            print("\(verdict.name): \(verdict.state.rawValue), \(verdict.detail)")
            for example in verdict.examples { print("    " + example) }
        }
        return verdicts.allSatisfy { $0.state == .kept } ? 0 : 1
    }
}
