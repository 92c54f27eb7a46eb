/* Making leaves from rows. Internal to the room. */
#ifndef CATALOGUE_LEAF_H
#define CATALOGUE_LEAF_H

#include "catalogue/internal.h"

/* One reference each for the caller. row: of topic, of topic_deleted, of team, policy or producer.
 */
struct leaf_topic *leaf_topic_make(struct catalogue *c, const struct row *row,
                                   const struct request *prepared);
struct leaf_topic *leaf_deleted_make(const struct row *row);
struct leaf_document *leaf_document_make(struct catalogue *c, const struct row *row);
/* The compiled value schema of a contract: prepared with the request, compiled by decide, already
 * in the view, or compiled now. A reference for the caller; NULL for bytes. */
struct schema *leaf_schema(struct catalogue *c, const struct contract *contract,
                           const struct request *prepared);
/* What is in force for a topic without explicit Kafka settings. */
void leaf_settings(struct view_topic *t);

#endif
