//! What the API document says beyond the handlers and their types: who may call, what every call
//! may answer, and a name for each. All of it follows from the table of routes and from what is
//! sent; nothing is listed twice.

use utoipa::{
    Modify,
    openapi::{
        AllOfBuilder, Components, Content, ObjectBuilder, OpenApi, Ref, RefOr, Required, Response,
        ResponseBuilder, Schema,
        path::{Operation, Parameter, ParameterBuilder, ParameterIn, PathItem},
        schema::{self, AnyOfBuilder},
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use crate::{
    domain::access::Scope,
    http::{door::Access, routes::TABLE},
    limits::IDEMPOTENCY_KEY_BYTES_MAX,
};

/// The schema of what `POST /v1/sends` answers instead of a ticket.
const SEND_CONFLICT: &str = "SendConflictBody";

/// Says which key each call needs, and what it may answer beside success.
pub(super) struct Calls;

impl Modify for Calls {
    fn modify(&self, openapi: &mut OpenApi) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = openapi.components.get_or_insert_default();
        components.add_security_scheme("key", SecurityScheme::Http(scheme));
        components.schemas.insert(SEND_CONFLICT.to_owned(), send_conflict().into());
        for row in TABLE {
            let item = openapi.paths.paths.get_mut(row.path);
            let Some(operation) = item.and_then(|item| operation(item, row.method)) else {
                continue;
            };
            if row.access == Access::Open {
                continue;
            }
            operation.responses.responses.insert("default".to_owned(), problem_response().into());
            let Access::Scope(scope) = row.access else { continue };
            let no_scopes: [String; 0] = [];
            operation.security = Some(vec![SecurityRequirement::new("key", no_scopes)]);
            let about = operation.description.take().unwrap_or_default();
            operation.description = Some(format!("{about}\n\nScope: `{}`.", scope.text()));
            if matches!(row.method, "POST" | "PUT") && writes(scope) {
                operation.parameters.get_or_insert_default().push(idempotency_key().into());
            }
        }
    }
}

/// A question asked twice is answered twice; everything else that is sent is done once.
fn writes(scope: Scope) -> bool {
    !scope.text().ends_with(":read")
}

/// Gives each call a name of its own, and says of each answer what it is.
pub(super) struct Names;

impl Modify for Names {
    fn modify(&self, openapi: &mut OpenApi) {
        let components = openapi.components.get_or_insert_default();
        for (path, item) in &mut openapi.paths.paths {
            for method in ["GET", "PUT", "POST", "DELETE"] {
                let Some(operation) = operation(item, method) else { continue };
                operation.operation_id = Some(name(method, path));
                if let Some(RefOr::T(body)) = &mut operation.request_body {
                    body.content.values_mut().for_each(without_null);
                }
                for (status, response) in &mut operation.responses.responses {
                    let RefOr::T(response) = response else { continue };
                    if response.description.is_empty() {
                        response.description = described(status, response, components);
                    }
                }
            }
        }
    }
}

fn operation<'i>(item: &'i mut PathItem, method: &str) -> Option<&'i mut Operation> {
    match method {
        "GET" => item.get.as_mut(),
        "PUT" => item.put.as_mut(),
        "POST" => item.post.as_mut(),
        "DELETE" => item.delete.as_mut(),
        _ => None,
    }
}

/// A body that may be left out is not one that may be `null`.
fn without_null(content: &mut RefOr<Content>) {
    let RefOr::T(content) = content else { return };
    let Some(RefOr::T(Schema::OneOf(choices))) = &content.schema else { return };
    if let Some(body) = choices.items.iter().find(|choice| matches!(choice, RefOr::Ref(_))) {
        content.schema = Some(body.clone());
    }
}

/// Returns the name of a call: its method and its path, as one word that programs can use.
fn name(method: &str, path: &str) -> String {
    let mut name = method.to_lowercase();
    for part in path.split('/').filter(|part| !matches!(*part, "" | "v1")) {
        name.push('_');
        match part.strip_prefix('{').and_then(|part| part.strip_suffix('}')) {
            Some(variable) => {
                name.push_str("by_");
                name.push_str(variable);
            }
            None => name.push_str(&part.replace(['-', '.'], "_")),
        }
    }
    name
}

/// Returns what an answer is: what its type says it is, or what its status does.
fn described(status: &str, response: &Response, components: &Components) -> String {
    let of_type = response.content.values().find_map(|content| {
        let RefOr::T(content) = content else { return None };
        let Some(RefOr::Ref(reference)) = &content.schema else { return None };
        let (_, name) = reference.ref_location.rsplit_once('/')?;
        let RefOr::T(schema) = components.schemas.get(name)? else { return None };
        let text = match schema {
            Schema::Object(schema) => schema.description.as_ref(),
            Schema::AllOf(schema) => schema.description.as_ref(),
            Schema::AnyOf(schema) => schema.description.as_ref(),
            Schema::OneOf(schema) => schema.description.as_ref(),
            Schema::Array(schema) => schema.description.as_ref(),
            _ => None,
        };
        text.and_then(|text| text.split("\n\n").next()).map(str::to_owned)
    });
    of_type.unwrap_or_else(|| {
        let of_status = match status {
            "201" => "It was made",
            "202" => "It was taken",
            _ => "What was asked for",
        };
        of_status.to_owned()
    })
}

/// What every call may answer instead of success.
fn problem_response() -> Response {
    let content = Content::new(Some(Ref::from_schema_name("ProblemBody")));
    ResponseBuilder::new()
        .description("A problem; `code` is one of those under /docs/problems")
        .content("application/problem+json", content)
        .build()
}

fn send_conflict() -> Schema {
    let problem = || Ref::from_schema_name("ProblemBody");
    let refused = AllOfBuilder::new()
        .description(Some("`send_refused`: the problem and the whole decision"))
        .item(problem())
        .item(Ref::from_schema_name("DecisionBody"));
    let either = AnyOfBuilder::new()
        .description(Some("Why a message was given no place"))
        .item(refused)
        .item(problem());
    Schema::AnyOf(either.build())
}

fn idempotency_key() -> Parameter {
    let text = ObjectBuilder::new()
        .schema_type(schema::Type::String)
        .min_length(Some(1))
        .max_length(Some(IDEMPOTENCY_KEY_BYTES_MAX));
    ParameterBuilder::new()
        .name("Idempotency-Key")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(
            "Bare or quoted. The same request under the same key is done once, however often it \
             is sent within two days, or what `idempotency.keep_hours` says; a repeat is marked \
             `Idempotent-Replayed: true`",
        ))
        .schema(Some(text))
        .build()
}
