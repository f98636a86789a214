-- Version 5: columns are called as in the log and in JSON. The Author Domain stays as it is stored: labels reversed,
-- each with its dot.

ALTER TABLE outcome RENAME COLUMN author TO author_domain;
ALTER TABLE outcome RENAME COLUMN would TO enforced_action;
