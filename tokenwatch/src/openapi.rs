//! OpenAPI 3 documents to the operations that `out_of_scope` judges by: which scopes each call requires.
//!
//! Only what concerns that is read: servers, paths, operations, security. Schemas and answers are not looked at, so a document
//! with mistakes there is taken. References within a document are followed for path items; those to other files are
//! refused, with their line. JSON is YAML here.

mod tree;

use std::fmt;
use std::path::Path;

use tokenwatch_detectors::{DetectorsConfig, OpenApiConfig, OperationConfig, RequiredScopes};
use tokenwatch_model::{Problem, Problems};
use tree::Node;

/// Larger ones are no description of an API: 64 MiB.
const DOCUMENT_BYTES_LIMIT: u64 = 64 << 20;
/// Of a path item.
const METHODS: [&str; 8] = [
    "get", "put", "post", "delete", "options", "head", "patch", "trace",
];

/// What is wrong with a document, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct DocumentError {
    line: usize,
    message: String,
}

type Result<T> = std::result::Result<T, DocumentError>;

/// Adds the operations of the documents that the configuration names.
pub(crate) fn take_in(config: &mut DetectorsConfig) -> std::result::Result<(), Vec<Problem>> {
    let mut problems = Problems::at("detectors.out_of_scope");
    let documents = std::mem::take(&mut config.out_of_scope.openapi);
    for (index, document) in documents.iter().enumerate() {
        match read_file(document) {
            Ok(operations) => config.out_of_scope.operations.extend(operations),
            Err(message) => problems.add(format!("openapi[{index}].file"), message),
        }
    }
    config.out_of_scope.openapi = documents;
    problems.into_result(|| ())
}

fn read_file(document: &OpenApiConfig) -> std::result::Result<Vec<OperationConfig>, String> {
    let path = Path::new(&document.file);
    let told = |error: &dyn fmt::Display| format!("{}: {error}", path.display());
    let meta = std::fs::metadata(path).map_err(|error| told(&error))?;
    if meta.len() > DOCUMENT_BYTES_LIMIT {
        return Err(told(&"is larger than 64 MiB"));
    }
    let text = std::fs::read_to_string(path).map_err(|error| told(&error))?;
    operations(&text, document).map_err(|error| {
        let DocumentError { line, message } = error;
        format!("{}:{line}: {message}", path.display())
    })
}

/// The operations of a document's text.
pub(crate) fn operations(text: &str, config: &OpenApiConfig) -> Result<Vec<OperationConfig>> {
    let root = tree::parse(text)?;
    check_version(&root)?;
    let reader = Reader {
        schemes: root
            .get("components")
            .and_then(|c| c.get("securitySchemes")),
        default_security: root.get("security"),
        root: &root,
        config,
    };
    let bases = reader.bases(&root)?;
    let bases = bases.unwrap_or_else(|| vec![String::new()]);
    let paths = root
        .get("paths")
        .ok_or_else(|| root.error("has no paths"))?;
    let mut operations = Vec::new();
    for (template, item) in paths.entries("paths")? {
        if template.starts_with("x-") {
            continue;
        }
        let item = reader.resolve(item)?;
        let bases = reader.bases(item)?.unwrap_or_else(|| bases.clone());
        for (name, operation) in item.entries("a path")? {
            if !METHODS.contains(&name) {
                continue;
            }
            let bases = reader.bases(operation)?.unwrap_or_else(|| bases.clone());
            let requires = reader.requires(operation)?;
            for base in bases {
                operations.push(OperationConfig {
                    method: name.to_ascii_uppercase(),
                    path: pattern(&format!("{base}/{template}")),
                    hosts: config.hosts.clone(),
                    requires: requires.clone(),
                });
            }
        }
    }
    Ok(operations)
}

fn check_version(root: &Node) -> Result<()> {
    if let Some(swagger) = root.get("swagger") {
        return Err(swagger.error("is Swagger 2; convert it to OpenAPI 3"));
    }
    let Some(version) = root.get("openapi") else {
        return Err(root.error("is no OpenAPI document: it has no key \"openapi\""));
    };
    match version.text() {
        Some(text) if text.starts_with("3.") => Ok(()),
        _ => Err(version.error("only OpenAPI 3 is read")),
    }
}

/// The parts of a document that its operations refer to.
struct Reader<'d> {
    root: &'d Node,
    schemes: Option<&'d Node>,
    default_security: Option<&'d Node>,
    config: &'d OpenApiConfig,
}

impl<'d> Reader<'d> {
    /// A path item, or the one that it refers to.
    fn resolve(&self, item: &'d Node) -> Result<&'d Node> {
        let Some(reference) = item.get("$ref") else {
            return Ok(item);
        };
        let text = reference.text().unwrap_or_default();
        let Some(pointer) = text.strip_prefix("#/") else {
            return Err(reference.error(&format!(
                "{text:?} is in another file, which is not read: bundle the document first"
            )));
        };
        let mut found = self.root;
        for step in pointer.split('/') {
            let step = step.replace("~1", "/").replace("~0", "~");
            let next = found.get(&step);
            found = next.ok_or_else(|| reference.error(&format!("{text:?} does not exist")))?;
        }
        if found.get("$ref").is_some() {
            return Err(reference.error("refers to a reference"));
        }
        Ok(found)
    }

    /// The paths of the servers of a node, if it has any; the configured one instead.
    fn bases(&self, of: &Node) -> Result<Option<Vec<String>>> {
        if let Some(base) = &self.config.base_path {
            return Ok(Some(vec![base.clone()]));
        }
        let Some(servers) = of.get("servers") else {
            return Ok(None);
        };
        let mut bases: Vec<String> = Vec::new();
        for server in servers.items("servers")? {
            let url = server.get("url").and_then(Node::text);
            let url = url.ok_or_else(|| server.error("a server needs a url"))?;
            let base = server_path(url).trim_end_matches('/').to_owned();
            if !bases.contains(&base) {
                bases.push(base);
            }
        }
        Ok((!bases.is_empty()).then_some(bases))
    }

    /// Sets of scopes of which one is required; none where no scope is.
    fn requires(&self, operation: &Node) -> Result<Vec<Vec<String>>> {
        let Some(security) = operation.get("security").or(self.default_security) else {
            return Ok(Vec::new());
        };
        let mut sets = Vec::new();
        for requirement in security.items("security")? {
            let schemes = requirement.entries("a security requirement")?;
            if schemes.is_empty() {
                // Anybody may call it.
                return Ok(Vec::new());
            }
            let mut scopes = Vec::new();
            for (name, listed) in schemes {
                let scheme = self.schemes.and_then(|schemes| schemes.get(name));
                let scheme = scheme.ok_or_else(|| {
                    listed.error(&format!("no security scheme is called {name:?}"))
                })?;
                let kind = scheme.get("type").and_then(Node::text);
                if !matches!(kind, Some("oauth2" | "openIdConnect")) {
                    continue;
                }
                for scope in listed.items("a security requirement's scopes")? {
                    let text = scope.text();
                    scopes.push(
                        text.ok_or_else(|| scope.error("a scope is a text"))?
                            .to_owned(),
                    );
                }
            }
            match self.config.requires {
                // Without scopes it is another sort of credential, which a token with scopes is not.
                _ if scopes.is_empty() => {}
                RequiredScopes::All => sets.push(scopes),
                RequiredScopes::Any => sets.extend(scopes.into_iter().map(|scope| vec![scope])),
            }
        }
        Ok(sets)
    }
}

/// The path of a server's address: `/v2` of `https://{region}.example.com/v2`.
fn server_path(url: &str) -> &str {
    match url.split_once("://") {
        Some((_, rest)) => rest.find('/').map_or("", |slash| &rest[slash..]),
        None => url,
    }
}

/// A path template in the words of our patterns: a segment with a parameter anywhere in it is any segment.
fn pattern(template: &str) -> String {
    let path = template.split(['?', '#']).next().unwrap_or_default();
    let mut pattern = String::with_capacity(path.len());
    for segment in path.split('/').filter(|segment| !segment.is_empty()) {
        pattern.push('/');
        pattern.push_str(if segment.contains(['{', '}']) {
            "{any}"
        } else {
            segment
        });
    }
    if pattern.is_empty() {
        pattern.push('/');
    }
    pattern
}

#[cfg(test)]
mod tests;
