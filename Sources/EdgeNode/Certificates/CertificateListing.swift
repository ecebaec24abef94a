import Glibc
import TLS

/// What certificates there are in a directory, an administrator's or a node's.
public enum CertificateListing {
    /// Names within the directory, the authority's first.
    public static func files(in directory: String) -> [String] {
        let nodes = directoryEntries(directory).sorted().map { "\($0)/node.pem" }
        return (["ca.pem", "node.pem"] + nodes).filter { access(directory + "/" + $0, F_OK) == 0 }
    }

    public static func read(_ path: String) throws(TLSMaterialFault) -> [Certificate] {
        let file = try PEMFile.read(path)
        return try Certificate.chain(pem: file.pem, from: file.file)
    }
}
