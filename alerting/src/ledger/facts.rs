//! What the store knows of a token that something is to be done about.

use std::time::Duration;

use tokenwatch_model::{Finding, Registration, TokenKind};
use tokenwatch_store::{Store, StoreError};
use tokio::time::timeout;

use crate::response::TokenFacts;

/// How long the store may take to say how a token was used; a stolen token does not wait for a slow table.
const USE_LIMIT: Duration = Duration::from_secs(2);
/// Networks that a restricted token may be used from: /24s and /48s, as many as gateways take in one rule.
const NETWORKS_LIMIT: usize = 50;

/// What the registry says, how the token was used before the finding began and, if asked, from where. Its use is left out if it
/// cannot be read.
pub(super) async fn read(
    store: &Store,
    finding: &Finding,
    with_networks: bool,
) -> Result<TokenFacts, StoreError> {
    let Some(token) = &finding.token else {
        return Ok(TokenFacts::default());
    };
    let (credential, consumer) = (token.credential_id.as_deref(), token.consumer.as_deref());
    let known = store.registration(token.id, credential, consumer).await?;
    let registration = known.map(|known| known.registration);
    let queries = store.queries();
    let before = finding.first_event_at;
    let used = async {
        let radius = queries.blast_radius(token.id, before).await?;
        let kind = queries.kind_of(token.id).await?;
        let networks = match allowed(registration.as_ref()) {
            _ if !with_networks => Vec::new(),
            Some(networks) => networks,
            None => {
                queries
                    .known_networks(token.id, before, NETWORKS_LIMIT)
                    .await?
            }
        };
        Ok::<_, StoreError>((radius, kind, networks))
    };
    let used = match timeout(USE_LIMIT, used).await {
        Ok(used) => used.map_err(|error| error.to_string()),
        Err(_) => Err("the store took too long".to_owned()),
    };
    match used {
        Ok((radius, kind, networks)) => Ok(TokenFacts {
            kind: kind.as_deref().and_then(kind_named),
            registration,
            blast_radius: Some(radius),
            networks,
        }),
        Err(error) => {
            tracing::warn!(%error, finding.id = %finding.id, "it could not be read how the token was used");
            Ok(TokenFacts {
                registration,
                ..TokenFacts::default()
            })
        }
    }
}

fn kind_named(name: &str) -> Option<TokenKind> {
    let kinds = [
        TokenKind::ApiKey,
        TokenKind::Jwt,
        TokenKind::Session,
        TokenKind::Unknown,
    ];
    kinds.into_iter().find(|kind| kind.name() == name)
}

fn allowed(registration: Option<&Registration>) -> Option<Vec<ipnet::IpNet>> {
    let networks = &registration?.allowed_networks;
    (!networks.is_empty()).then(|| networks.clone())
}
