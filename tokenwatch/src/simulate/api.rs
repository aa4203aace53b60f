//! The simulated API: its routes, what their paths look like, and what is not there.

use std::fmt::Write as _;

use super::dice::hash;

/// What identifies an object of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// The route has no objects.
    None,
    /// A number.
    Number,
    /// A UUID.
    Uuid,
}

/// A route.
#[derive(Debug)]
pub(super) struct Route {
    /// The method.
    pub(super) method: &'static str,
    /// The template, as the gateway names the route and as policies allow it.
    pub(super) template: &'static str,
    /// What stands for `{id}`.
    pub(super) naming: Naming,
    /// Median size of an answer.
    pub(super) answer_bytes: u32,
}

/// An index into [`ROUTES`], or [`NO_ROUTE`].
pub(super) type RouteId = u8;

/// A path that is not part of the API.
pub(super) const NO_ROUTE: RouteId = RouteId::MAX;
/// Routes for everybody: these many from the first.
pub(super) const ORDINARY: RouteId = 28;
/// The route that is released while the simulation runs.
pub(super) const NEW_ROUTE: RouteId = 28;
/// Administrative routes: from here to the end.
pub(super) const ADMIN: RouteId = 29;

const fn route(
    method: &'static str,
    template: &'static str,
    naming: Naming,
    answer_bytes: u32,
) -> Route {
    Route {
        method,
        template,
        naming,
        answer_bytes,
    }
}

use Naming::{None as Nameless, Number, Uuid};

/// Every route.
pub(super) const ROUTES: [Route; 35] = [
    route("GET", "/v1/orders", Nameless, 9_000),
    route("GET", "/v1/orders/{id}", Number, 1_800),
    route("POST", "/v1/orders", Nameless, 700),
    route("PATCH", "/v1/orders/{id}", Number, 900),
    route("GET", "/v1/orders/{id}/items", Number, 3_200),
    route("GET", "/v1/customers", Nameless, 12_000),
    route("GET", "/v1/customers/{id}", Uuid, 1_400),
    route("POST", "/v1/customers", Nameless, 600),
    route("GET", "/v1/invoices", Nameless, 15_000),
    route("GET", "/v1/invoices/{id}", Number, 2_600),
    route("GET", "/v1/invoices/{id}/pdf", Number, 84_000),
    route("GET", "/v1/products", Nameless, 22_000),
    route("GET", "/v1/products/{id}", Number, 2_100),
    route("PUT", "/v1/products/{id}", Number, 500),
    route("GET", "/v1/stock/{id}", Number, 350),
    route("PUT", "/v1/stock/{id}", Number, 250),
    route("GET", "/v1/shipments", Nameless, 8_000),
    route("GET", "/v1/shipments/{id}", Uuid, 1_100),
    route("POST", "/v1/shipments", Nameless, 800),
    route("GET", "/v1/payments/{id}", Uuid, 900),
    route("POST", "/v1/payments", Nameless, 700),
    route("GET", "/v1/events", Nameless, 30_000),
    route("POST", "/v1/events", Nameless, 120),
    route("GET", "/v1/reports/daily", Nameless, 46_000),
    route("GET", "/v1/search", Nameless, 6_500),
    route("GET", "/v1/jobs/{id}", Uuid, 400),
    route("POST", "/v1/jobs", Nameless, 300),
    route("GET", "/v1/health", Nameless, 90),
    route("GET", "/v2/orders/{id}/timeline", Number, 2_400),
    route("GET", "/v1/admin/users", Nameless, 18_000),
    route("GET", "/v1/admin/keys", Nameless, 7_000),
    route("POST", "/v1/admin/keys", Nameless, 900),
    route("DELETE", "/v1/admin/users/{id}", Number, 100),
    route("GET", "/v1/admin/export/{id}", Uuid, 240_000),
    route("GET", "/v1/admin/audit", Nameless, 26_000),
];

const PROBED: [&str; 10] = [
    "backup", "internal", "debug", "test", "old", "private", "config", "graphql", "console", "dump",
];

/// Appends the path of `route` for `object`. A call beyond the API has a path of its own for every object.
pub(super) fn write_path(out: &mut String, route: RouteId, object: u64) {
    let Some(route) = ROUTES.get(usize::from(route)) else {
        let word = PROBED[(object % PROBED.len() as u64) as usize];
        // Writing to a text does not fail.
        write!(out, "/v1/{word}/{object}").unwrap_or_default();
        return;
    };
    let Some((before, after)) = route.template.split_once("{id}") else {
        out.push_str(route.template);
        return;
    };
    out.push_str(before);
    match route.naming {
        Naming::Number | Naming::None => write!(out, "{object}").unwrap_or_default(),
        Naming::Uuid => {
            let (high, low) = (hash([object, 1, 0, 0]), hash([object, 2, 0, 0]));
            write!(
                out,
                "{:08x}-{:04x}-4{:03x}-a{:03x}-{:012x}",
                high >> 32,
                (high >> 16) & 0xffff,
                high & 0xfff,
                low >> 52,
                low & 0xffff_ffff_ffff
            )
            .unwrap_or_default();
        }
    }
    out.push_str(after);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(route: RouteId, object: u64) -> String {
        let mut out = String::new();
        write_path(&mut out, route, object);
        out
    }

    #[test]
    fn paths_are_their_templates_with_an_object() {
        assert_eq!(path(0, 7), "/v1/orders");
        assert_eq!(path(4, 7), "/v1/orders/7/items");
        assert_eq!(path(6, 7).len(), "/v1/customers/".len() + 36);
        assert_ne!(path(6, 7), path(6, 8));
        assert_ne!(path(NO_ROUTE, 7), path(NO_ROUTE, 17));
    }

    #[test]
    fn only_the_last_routes_are_administrative() {
        for (index, route) in ROUTES.iter().enumerate() {
            let is_admin = route.template.contains("/admin/");
            assert_eq!(is_admin, index >= usize::from(ADMIN), "{}", route.template);
        }
    }
}
