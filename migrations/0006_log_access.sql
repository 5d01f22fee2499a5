-- The view names the entries that change users and roles.
DROP VIEW entries;

CREATE VIEW entries AS
SELECT "index",
       term,
       CASE kind WHEN 0 THEN 'empty' WHEN 1 THEN 'keys' WHEN 2 THEN 'membership' WHEN 3 THEN 'access'
           ELSE 'kind ' || kind END AS kind,
       CASE kind
           WHEN 1 THEN CASE operation
               WHEN 1 THEN 'set' WHEN 2 THEN 'create' WHEN 3 THEN 'createInOrder' WHEN 4 THEN 'update'
               WHEN 5 THEN 'compareAndSwap' WHEN 6 THEN 'delete' WHEN 7 THEN 'compareAndDelete' WHEN 8 THEN 'expire'
               ELSE 'operation ' || operation END
           WHEN 2 THEN CASE operation
               WHEN 1 THEN 'addMember' WHEN 2 THEN 'removeMember' WHEN 3 THEN 'updateMember' WHEN 4 THEN 'publish'
               WHEN 5 THEN 'clusterVersion' ELSE 'operation ' || operation END
           WHEN 3 THEN CASE operation
               WHEN 1 THEN 'createUser' WHEN 2 THEN 'setUser' WHEN 3 THEN 'updateUser' WHEN 4 THEN 'deleteUser'
               WHEN 5 THEN 'createRole' WHEN 6 THEN 'updateRole' WHEN 7 THEN 'deleteRole' WHEN 8 THEN 'enable'
               WHEN 9 THEN 'disable' ELSE 'operation ' || operation END
           ELSE '' END AS operation,
       path,
       value,
       strftime('%Y-%m-%dT%H:%M:%S', time / 1000000000, 'unixepoch')
           || printf('.%09dZ', time % 1000000000) AS time,
       client
FROM log;
