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
        var broken: [String] = []
        for nemesis in options.nemeses {
            for workload in options.workloads {
                let pair = Pair(options, nemesis, workload)
                do {
                    if try await !pair.execute() { broken.append(pair.name) }
                } catch {
                    // The others are worth their time all the same.
                    complain("\(pair.name): \(error)")
                    broken.append("\(pair.name): no result, \(error)")
                }
            }
        }
        if let report = options.report { try ReportPage.write(directory: options.directory, to: report) }
        let count = options.nemeses.count * options.workloads.count
        print("\(count) pairs, \(broken.count) with broken promises" + broken.map { "\n    " + $0 }.joined())
        return broken.isEmpty ? 0 : 1
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
