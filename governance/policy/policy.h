/* Rules over contracts, by topic-name prefix: the longest prefix that sets a field wins, the root
 * ("") last. Pure: contract and policies in, violations out. */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/contract.h"

/* What a topic name gets when all policies are laid over one another. */
struct policy policy_resolve(const struct policy *const *policies, size_t n, struct slice topic);
/* Is governance off for this name? cluster_off is the cluster-wide switch. */
bool policy_governance_off(const struct policy *const *policies, size_t n, struct slice topic,
                           bool cluster_off);
/* Adds a violation ("policy.naming", "policy.retention-max", ...) for each rule broken. document is
 * the contract's full JSON text, for required_fields. */
void policy_check(const struct policy *resolved, const struct contract *c,
                  const struct json_doc *document, struct document_errors *out);
/* Does a grant ("shop.orders.placed" or "shop.*") cover the topic? */
bool policy_grant_covers(struct slice grant, struct slice topic);

#endif
