import Cluster
import Placement

// The demo: a chat page that any node serves. Its files are part of the program; what it does, it does
// as any other client, with credentials that its user gives.

extension HTTPEdge {
    /// What stands under `/demo`; `file` is the rest of the path.
    func demoAnswer(_ file: String) throws(HTTPFault) -> HTTPResponse {
        guard settings.servesDemo else { throw .unknownRoute }
        switch file {
        case "": return HTTPResponse(status: 200, contentType: .html, body: PackageResources.demo_html)
        case "demo.css": return HTTPResponse(status: 200, contentType: .style, body: PackageResources.demo_css)
        case "demo.js": return HTTPResponse(status: 200, contentType: .script, body: PackageResources.demo_js)
        case "nodes": return .json(demoNodes(gateway.view))
        default: throw .unknownRoute
        }
    }
}

/// The nodes that live, as the registry of `view` has them, and which of them answers.
private func demoNodes(_ view: ClusterView) -> [UInt8] {
    let nodes = (view.state?.nodes ?? []).filter { !$0.live.isEmpty }
    return JSONOutput.object { page in
        page.member("serving", view.nodeName)
        page.key("nodes")
        page.array(nodes) { output, node in
            output.object {
                $0.member("name", node.name)
                $0.member("url", node.clientURL)
            }
        }
    }
}
