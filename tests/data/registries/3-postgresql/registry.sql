SET check_function_bodies = false;
CREATE SCHEMA digits;
CREATE FUNCTION digits.digits_approve(model integer, name text, version integer, moment bigint, why text) RETURNS void
    LANGUAGE sql SECURITY DEFINER
    SET search_path TO 'digits', 'pg_temp'
    AS $$
    INSERT INTO approvals (model_id, alias, number, actor, at, reason)
    VALUES (model, name, version, session_user, moment, why)
$$;
CREATE FUNCTION digits.digits_guard_alias() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'digits', 'pg_temp'
    AS $$
BEGIN 
    IF (SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = TG_RELID)
 OR NOT EXISTS (
        SELECT FROM protected_aliases p
        WHERE p.model_id = OLD.model_id AND p.alias = OLD.alias
           OR p.model_id = NEW.model_id AND p.alias = NEW.alias
    ) THEN
        IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'the alias % is protected', COALESCE(NEW.alias, OLD.alias)
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION digits.digits_move_alias(model integer, name text, version integer, event integer, moment bigint) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path TO 'digits', 'pg_temp'
    AS $$
BEGIN
    IF (SELECT count(*) FROM approvals a
        WHERE a.model_id = model AND a.alias = name AND a.number = version)
       < (SELECT p.approvals FROM protected_aliases p
          WHERE p.model_id = model AND p.alias = name) THEN
        RAISE EXCEPTION 'version % needs more approvals', version
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    DELETE FROM approvals a WHERE a.model_id = model AND a.alias = name;
    INSERT INTO aliases (model_id, alias, number, generation, moved_at)
    VALUES (model, name, version, event, moment)
    ON CONFLICT (model_id, alias) DO UPDATE
    SET number = version, generation = event, moved_at = moment;
END $$;
CREATE FUNCTION digits.digits_only_owner() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path TO 'digits', 'pg_temp'
    AS $$
BEGIN 
    IF (SELECT pg_has_role(current_user, relowner, 'MEMBER') FROM pg_class WHERE oid = TG_RELID)
 THEN
        IF TG_LEVEL = 'STATEMENT' THEN RETURN NULL; END IF;
        RETURN COALESCE(NEW, OLD);
    END IF;
    RAISE EXCEPTION 'only the owner of % may do that', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
CREATE FUNCTION digits.events_are_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$;
CREATE TABLE digits.aliases (
    model_id integer NOT NULL,
    alias character varying(63) NOT NULL,
    number integer NOT NULL,
    generation integer NOT NULL,
    moved_at bigint NOT NULL,
    CONSTRAINT alias_length CHECK ((length((alias)::text) <= 63))
);
CREATE TABLE digits.approvals (
    model_id integer NOT NULL,
    alias character varying(63) NOT NULL,
    number integer NOT NULL,
    actor character varying(250) NOT NULL,
    at bigint NOT NULL,
    reason character varying(2000),
    CONSTRAINT actor_length CHECK ((length((actor)::text) <= 250)),
    CONSTRAINT alias_length CHECK ((length((alias)::text) <= 63)),
    CONSTRAINT reason_length CHECK ((length((reason)::text) <= 2000))
);
CREATE TABLE digits.blobs (
    sha256 character varying(64) NOT NULL,
    size bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT sha256_length CHECK ((length((sha256)::text) = 64))
);
CREATE TABLE digits.events (
    model_id integer NOT NULL,
    seq integer NOT NULL,
    at bigint NOT NULL,
    actor character varying(2000) NOT NULL,
    kind character varying(32) NOT NULL,
    alias character varying(63),
    number integer,
    body text NOT NULL,
    prev_hash character varying(64) NOT NULL,
    hash character varying(64) NOT NULL,
    signature character varying(128),
    key_id character varying(64)
);
CREATE TABLE digits.meta (
    id integer NOT NULL,
    schema_version integer NOT NULL,
    registry_id character varying(36),
    CONSTRAINT meta_id_check CHECK ((id = 1))
);
CREATE SEQUENCE digits.meta_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE digits.meta_id_seq OWNED BY digits.meta.id;
CREATE TABLE digits.models (
    id integer NOT NULL,
    name character varying(64) NOT NULL,
    next_number integer NOT NULL,
    created_at bigint NOT NULL,
    next_event integer DEFAULT 1 NOT NULL,
    head_hash character varying(64) DEFAULT '0000000000000000000000000000000000000000000000000000000000000000'::character varying NOT NULL,
    event_at bigint DEFAULT '0'::bigint NOT NULL,
    description text,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 64))
);
CREATE SEQUENCE digits.models_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE digits.models_id_seq OWNED BY digits.models.id;
CREATE TABLE digits.protected_aliases (
    model_id integer NOT NULL,
    alias character varying(63) NOT NULL,
    approvals integer NOT NULL,
    CONSTRAINT alias_length CHECK ((length((alias)::text) <= 63))
);
CREATE TABLE digits.version_environment (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value character varying(2000) NOT NULL,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000)),
    CONSTRAINT value_length CHECK ((length((value)::text) <= 2000))
);
CREATE TABLE digits.version_inputs (
    version_id integer NOT NULL,
    role character varying(2000) NOT NULL,
    sha256 character varying(64) NOT NULL,
    CONSTRAINT role_length CHECK ((length((role)::text) <= 2000))
);
CREATE TABLE digits.version_metrics (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value double precision NOT NULL,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000))
);
CREATE TABLE digits.version_params (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value character varying(2000) NOT NULL,
    number double precision,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000)),
    CONSTRAINT value_length CHECK ((length((value)::text) <= 2000))
);
CREATE TABLE digits.version_tags (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value character varying(2000) NOT NULL,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000)),
    CONSTRAINT value_length CHECK ((length((value)::text) <= 2000))
);
CREATE TABLE digits.versions (
    id integer NOT NULL,
    model_id integer NOT NULL,
    number integer NOT NULL,
    state character varying(32) NOT NULL,
    blob_sha256 character varying(64) NOT NULL,
    run_id character varying(2000),
    idempotency_key character varying(2000),
    created_at bigint NOT NULL,
    event_seq integer,
    parent character varying(2000),
    code_version character varying(2000),
    created_by character varying(2000),
    gate character varying(8),
    description text,
    tags text,
    CONSTRAINT idempotency_key_length CHECK ((length((idempotency_key)::text) <= 2000)),
    CONSTRAINT run_id_length CHECK ((length((run_id)::text) <= 2000)),
    CONSTRAINT state_length CHECK ((length((state)::text) <= 32))
);
CREATE SEQUENCE digits.versions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE digits.versions_id_seq OWNED BY digits.versions.id;
ALTER TABLE ONLY digits.meta ALTER COLUMN id SET DEFAULT nextval('digits.meta_id_seq'::regclass);
ALTER TABLE ONLY digits.models ALTER COLUMN id SET DEFAULT nextval('digits.models_id_seq'::regclass);
ALTER TABLE ONLY digits.versions ALTER COLUMN id SET DEFAULT nextval('digits.versions_id_seq'::regclass);
INSERT INTO digits.aliases VALUES (1, 'champion', 1, 6, 1795710633973171);
INSERT INTO digits.aliases VALUES (1, 'challenger', 3, 7, 1795710633988595);
INSERT INTO digits.blobs VALUES ('3bb63c501a2cb9b43bfbf09f0b02a7f12408e1922617522b8441afd37272b915', 9, 1795710633831211);
INSERT INTO digits.blobs VALUES ('a8989317cf9287850260df63e5c4946861b8092ff02634fb4b3dab4f9fb1da56', 9, 1795710633884005);
INSERT INTO digits.blobs VALUES ('c0f72102132542cac58c33196b4a9f06d04a6454d48b0dc56ed8b00568fb7d84', 9, 1795710633900062);
INSERT INTO digits.blobs VALUES ('1259bb4ed39be941e948c44cee2d91c019c84fc96f3e3a46840f90df9cfdf015', 18, 1795710633923559);
INSERT INTO digits.events VALUES (1, 1, 1795710633831211, 'ann', 'registered', NULL, 1, '{"version":{"code_version":"0.2.0","created_at":1795710633831211,"created_by":"ann","environment":{"numpy":"2.1.0"},"gate":[{"figure":0.98,"name":"validation_accuracy","passed":true,"threshold":0.97}],"idempotency_key":"run-1","inputs":{"train_images":"abababababababababababababababababababababababababababababababab"},"metrics":{"recall.7":0.95,"validation_accuracy":0.98},"params":{"dropout":true,"preset":"quick","seed":null,"sizes":[784,30,10]},"parent":null,"run_id":"run-1","sha256":"3bb63c501a2cb9b43bfbf09f0b02a7f12408e1922617522b8441afd37272b915","size":9,"tags":{"note":"\u00dcn\u00efcode ''quoted''","team":"ocr"}}}', '0000000000000000000000000000000000000000000000000000000000000000', 'ebdf5a44325bba5ed7ac11cbeaa2e1f6faa9705fed04321460ad235885655c67', NULL, NULL);
INSERT INTO digits.events VALUES (1, 2, 1795710633884005, 'ann', 'registered', NULL, 2, '{"version":{"code_version":null,"created_at":1795710633884005,"created_by":"ann","environment":{},"gate":[{"figure":0.98,"name":"validation_accuracy","passed":true,"threshold":0.97},{"figure":0.4,"name":"recall of 7","passed":false,"threshold":0.9}],"idempotency_key":"run-2","inputs":{},"metrics":{},"params":{},"parent":"mnist/1","run_id":null,"sha256":"a8989317cf9287850260df63e5c4946861b8092ff02634fb4b3dab4f9fb1da56","size":9,"tags":{}}}', 'ebdf5a44325bba5ed7ac11cbeaa2e1f6faa9705fed04321460ad235885655c67', '6c6658cf7c6b43b3a88b2d03181e9cecfa5207eb0d964298179f64602a963c29', NULL, NULL);
INSERT INTO digits.events VALUES (1, 3, 1795710633900062, 'ann', 'registered', NULL, 3, '{"version":{"code_version":null,"created_at":1795710633900062,"created_by":"ann","environment":{},"gate":[{"figure":0.98,"name":"validation_accuracy","passed":true,"threshold":0.97}],"idempotency_key":null,"inputs":{},"metrics":{},"params":{},"parent":"mnist/1","run_id":null,"sha256":"c0f72102132542cac58c33196b4a9f06d04a6454d48b0dc56ed8b00568fb7d84","size":9,"tags":{}}}', '6c6658cf7c6b43b3a88b2d03181e9cecfa5207eb0d964298179f64602a963c29', 'ab2c37f2a6605c033900a0dd40ef02538a60d4280fbfc4ffcde4ec9109d1fd93', NULL, NULL);
INSERT INTO digits.events VALUES (2, 1, 1795710633923559, 'ann', 'registered', NULL, 1, '{"version":{"code_version":null,"created_at":1795710633923559,"created_by":"ann","environment":{},"gate":[],"idempotency_key":null,"inputs":{},"metrics":{},"params":{},"parent":null,"run_id":null,"sha256":"1259bb4ed39be941e948c44cee2d91c019c84fc96f3e3a46840f90df9cfdf015","size":18,"tags":{}}}', '0000000000000000000000000000000000000000000000000000000000000000', '06a55d5371f6c3679d1c72c8507145c3252f94da138140cd1c3868ba67da379b', NULL, NULL);
INSERT INTO digits.events VALUES (1, 4, 1795710633937605, 'ann', 'alias_moved', 'champion', 1, '{"forced":false,"from":null}', 'ab2c37f2a6605c033900a0dd40ef02538a60d4280fbfc4ffcde4ec9109d1fd93', 'a82e09da12af477a467178990e3b31810ea6d59277dc08854a58f2c217fe42f6', NULL, NULL);
INSERT INTO digits.events VALUES (1, 5, 1795710633951640, 'ann', 'alias_moved', 'champion', 3, '{"forced":false,"from":1}', 'a82e09da12af477a467178990e3b31810ea6d59277dc08854a58f2c217fe42f6', 'f49190abf39dc917a23606dbf47778d518ca482b8fedceea4b67f2bce3459907', NULL, NULL);
INSERT INTO digits.events VALUES (1, 6, 1795710633973171, 'ann', 'alias_rolled_back', 'champion', 1, '{"forced":false,"from":3}', 'f49190abf39dc917a23606dbf47778d518ca482b8fedceea4b67f2bce3459907', '18add753ebe00e38b17d040763972ac2991c3006c99645da46c5361a0414de26', NULL, NULL);
INSERT INTO digits.events VALUES (1, 7, 1795710633988595, 'ann', 'alias_moved', 'challenger', 3, '{"forced":false,"from":null}', '18add753ebe00e38b17d040763972ac2991c3006c99645da46c5361a0414de26', '93dfc6b1303f72bd4cc85e4af4dcdb9c5dd24ecf2681d691758444216ba89c06', NULL, NULL);
INSERT INTO digits.events VALUES (1, 8, 1795710634003575, 'ann', 'alias_moved', 'gone', 2, '{"forced":false,"from":null}', '93dfc6b1303f72bd4cc85e4af4dcdb9c5dd24ecf2681d691758444216ba89c06', '8b77e734f94f3e7f9de220f555fcdc1eec59759f6844df61a20042e305e56658', NULL, NULL);
INSERT INTO digits.events VALUES (1, 9, 1795710634014636, 'ann', 'alias_removed', 'gone', NULL, '{"from":2}', '8b77e734f94f3e7f9de220f555fcdc1eec59759f6844df61a20042e305e56658', '5b9b97d06fc1ba8a46feda3d11880eba497113f419b6d21db64d2c1a384a573a', NULL, NULL);
INSERT INTO digits.events VALUES (1, 10, 1795710634030446, 'ann', 'archived', NULL, 2, '{}', '5b9b97d06fc1ba8a46feda3d11880eba497113f419b6d21db64d2c1a384a573a', '74acf99e194069073ca58e8c06e9bb11cbbb0d68f1d613410509bac651c97e26', NULL, NULL);
INSERT INTO digits.events VALUES (1, 11, 1795710634039625, 'ann', 'tagged', NULL, 1, '{"from":{"note":"\u00dcn\u00efcode ''quoted''","team":"ocr"},"tags":{"note":"\u00dcn\u00efcode ''quoted''","seen":"yes","team":"ocr"}}', '74acf99e194069073ca58e8c06e9bb11cbbb0d68f1d613410509bac651c97e26', 'd38cafec2ed348fdd6fa1df39af0dd9ac1374b5de355c26ab952b219e7bfa821', NULL, NULL);
INSERT INTO digits.events VALUES (1, 12, 1795710634054046, 'ann', 'described', NULL, 1, '{"description":"The first one.","from":null}', 'd38cafec2ed348fdd6fa1df39af0dd9ac1374b5de355c26ab952b219e7bfa821', '4dceae69506948ef386a8b8a5c47b836f66951c1a91684c21d815329e473bf40', NULL, NULL);
INSERT INTO digits.events VALUES (1, 13, 1795710634065242, 'ann', 'model_described', NULL, NULL, '{"description":"Handwritten digits.","from":null}', '4dceae69506948ef386a8b8a5c47b836f66951c1a91684c21d815329e473bf40', 'c63911bb9d259aab589df7eb162b8a1e9f5ab42bdcfa1165f66e1d1b9d7a29f4', NULL, NULL);
INSERT INTO digits.events VALUES (1, 14, 1795710634081774, 'ann', 'protected', 'champion', NULL, '{"approvals":1}', 'c63911bb9d259aab589df7eb162b8a1e9f5ab42bdcfa1165f66e1d1b9d7a29f4', 'c47a134f6c4b74b8eb95c550e73552994d0467a4aa957b443d3e30eb85f072f7', NULL, NULL);
INSERT INTO digits.events VALUES (1, 15, 1795710634099942, 'ann', 'proposed', 'champion', 3, '{"forced":false,"reason":"better"}', 'c47a134f6c4b74b8eb95c550e73552994d0467a4aa957b443d3e30eb85f072f7', '545ac0382287f1dc66ac3abc8d1065c303631478daa0079f6fd87330dd1692ba', NULL, NULL);
INSERT INTO digits.meta VALUES (1, 3, '2ea58484-0a61-4111-a28d-6bd94ecfe2e0');
INSERT INTO digits.models VALUES (2, 'letters', 2, 1795710633921805, 2, '06a55d5371f6c3679d1c72c8507145c3252f94da138140cd1c3868ba67da379b', 1795710633923559, NULL);
INSERT INTO digits.models VALUES (1, 'mnist', 4, 1795710633818288, 16, '545ac0382287f1dc66ac3abc8d1065c303631478daa0079f6fd87330dd1692ba', 1795710634099942, 'Handwritten digits.');
INSERT INTO digits.protected_aliases VALUES (1, 'champion', 1);
INSERT INTO digits.version_environment VALUES (1, 'numpy', '2.1.0');
INSERT INTO digits.version_inputs VALUES (1, 'train_images', 'abababababababababababababababababababababababababababababababab');
INSERT INTO digits.version_metrics VALUES (1, 'recall.7', 0.95);
INSERT INTO digits.version_metrics VALUES (1, 'validation_accuracy', 0.98);
INSERT INTO digits.version_params VALUES (1, 'dropout', 'true', NULL);
INSERT INTO digits.version_params VALUES (1, 'preset', '"quick"', NULL);
INSERT INTO digits.version_params VALUES (1, 'seed', 'null', NULL);
INSERT INTO digits.version_params VALUES (1, 'sizes', '[784,30,10]', NULL);
INSERT INTO digits.version_tags VALUES (1, 'note', 'Ünïcode ''quoted''');
INSERT INTO digits.version_tags VALUES (1, 'team', 'ocr');
INSERT INTO digits.version_tags VALUES (1, 'seen', 'yes');
INSERT INTO digits.versions VALUES (3, 1, 3, 'ready', 'c0f72102132542cac58c33196b4a9f06d04a6454d48b0dc56ed8b00568fb7d84', NULL, NULL, 1795710633900062, 3, 'mnist/1', NULL, 'ann', 'passed', NULL, NULL);
INSERT INTO digits.versions VALUES (4, 2, 1, 'ready', '1259bb4ed39be941e948c44cee2d91c019c84fc96f3e3a46840f90df9cfdf015', NULL, NULL, 1795710633923559, 1, NULL, NULL, 'ann', NULL, NULL, NULL);
INSERT INTO digits.versions VALUES (2, 1, 2, 'archived', 'a8989317cf9287850260df63e5c4946861b8092ff02634fb4b3dab4f9fb1da56', NULL, 'run-2', 1795710633884005, 2, 'mnist/1', NULL, 'ann', 'failed', NULL, NULL);
INSERT INTO digits.versions VALUES (1, 1, 1, 'ready', '3bb63c501a2cb9b43bfbf09f0b02a7f12408e1922617522b8441afd37272b915', 'run-1', 'run-1', 1795710633831211, 1, NULL, '0.2.0', 'ann', 'passed', 'The first one.', '{"note":"\u00dcn\u00efcode ''quoted''","seen":"yes","team":"ocr"}');
SELECT pg_catalog.setval('digits.meta_id_seq', 1, false);
SELECT pg_catalog.setval('digits.models_id_seq', 2, true);
SELECT pg_catalog.setval('digits.versions_id_seq', 4, true);
ALTER TABLE ONLY digits.aliases
    ADD CONSTRAINT aliases_pkey PRIMARY KEY (model_id, alias);
ALTER TABLE ONLY digits.approvals
    ADD CONSTRAINT approvals_pkey PRIMARY KEY (model_id, alias, number, actor);
ALTER TABLE ONLY digits.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (sha256);
ALTER TABLE ONLY digits.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (model_id, seq);
ALTER TABLE ONLY digits.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (id);
ALTER TABLE ONLY digits.models
    ADD CONSTRAINT models_name_key UNIQUE (name);
ALTER TABLE ONLY digits.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (id);
ALTER TABLE ONLY digits.protected_aliases
    ADD CONSTRAINT protected_aliases_pkey PRIMARY KEY (model_id, alias);
ALTER TABLE ONLY digits.version_environment
    ADD CONSTRAINT version_environment_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY digits.version_inputs
    ADD CONSTRAINT version_inputs_pkey PRIMARY KEY (version_id, role);
ALTER TABLE ONLY digits.version_metrics
    ADD CONSTRAINT version_metrics_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY digits.version_params
    ADD CONSTRAINT version_params_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY digits.version_tags
    ADD CONSTRAINT version_tags_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY digits.versions
    ADD CONSTRAINT versions_model_id_idempotency_key_key UNIQUE (model_id, idempotency_key);
ALTER TABLE ONLY digits.versions
    ADD CONSTRAINT versions_model_id_number_key UNIQUE (model_id, number);
ALTER TABLE ONLY digits.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);
CREATE INDEX aliases_by_number ON digits.aliases USING btree (model_id, number);
CREATE INDEX events_by_alias ON digits.events USING btree (model_id, alias, seq);
CREATE INDEX ix_versions_blob_sha256 ON digits.versions USING btree (blob_sha256);
CREATE INDEX version_environment_by_value ON digits.version_environment USING btree (name, substr((value)::text, 1, 250), version_id);
CREATE INDEX version_inputs_by_value ON digits.version_inputs USING btree (role, sha256, version_id);
CREATE INDEX version_metrics_by_value ON digits.version_metrics USING btree (name, value, version_id);
CREATE INDEX version_params_by_value ON digits.version_params USING btree (name, substr((value)::text, 1, 250), version_id);
CREATE INDEX version_tags_by_value ON digits.version_tags USING btree (name, substr((value)::text, 1, 250), version_id);
CREATE INDEX versions_by_run ON digits.versions USING btree (run_id);
CREATE INDEX versions_by_state ON digits.versions USING btree (model_id, state, number);
CREATE INDEX versions_by_time ON digits.versions USING btree (model_id, created_at, number);
CREATE TRIGGER events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON digits.events FOR EACH STATEMENT EXECUTE FUNCTION digits.events_are_append_only();
CREATE TRIGGER guard_alias BEFORE INSERT OR DELETE OR UPDATE ON digits.aliases FOR EACH ROW EXECUTE FUNCTION digits.digits_guard_alias();
CREATE TRIGGER no_truncate BEFORE TRUNCATE ON digits.aliases FOR EACH STATEMENT EXECUTE FUNCTION digits.digits_only_owner();
CREATE TRIGGER only_owner BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON digits.approvals FOR EACH STATEMENT EXECUTE FUNCTION digits.digits_only_owner();
CREATE TRIGGER only_owner BEFORE UPDATE OF id, name ON digits.models FOR EACH ROW EXECUTE FUNCTION digits.digits_only_owner();
CREATE TRIGGER only_owner BEFORE INSERT OR DELETE OR UPDATE OR TRUNCATE ON digits.protected_aliases FOR EACH STATEMENT EXECUTE FUNCTION digits.digits_only_owner();
CREATE TRIGGER only_owner BEFORE UPDATE OF id, model_id, number, blob_sha256, event_seq ON digits.versions FOR EACH ROW EXECUTE FUNCTION digits.digits_only_owner();
ALTER TABLE ONLY digits.aliases
    ADD CONSTRAINT aliases_model_id_number_fkey FOREIGN KEY (model_id, number) REFERENCES digits.versions(model_id, number);
ALTER TABLE ONLY digits.approvals
    ADD CONSTRAINT approvals_model_id_number_fkey FOREIGN KEY (model_id, number) REFERENCES digits.versions(model_id, number);
ALTER TABLE ONLY digits.events
    ADD CONSTRAINT events_model_id_fkey FOREIGN KEY (model_id) REFERENCES digits.models(id);
ALTER TABLE ONLY digits.protected_aliases
    ADD CONSTRAINT protected_aliases_model_id_fkey FOREIGN KEY (model_id) REFERENCES digits.models(id);
ALTER TABLE ONLY digits.version_environment
    ADD CONSTRAINT version_environment_version_id_fkey FOREIGN KEY (version_id) REFERENCES digits.versions(id);
ALTER TABLE ONLY digits.version_inputs
    ADD CONSTRAINT version_inputs_version_id_fkey FOREIGN KEY (version_id) REFERENCES digits.versions(id);
ALTER TABLE ONLY digits.version_metrics
    ADD CONSTRAINT version_metrics_version_id_fkey FOREIGN KEY (version_id) REFERENCES digits.versions(id);
ALTER TABLE ONLY digits.version_params
    ADD CONSTRAINT version_params_version_id_fkey FOREIGN KEY (version_id) REFERENCES digits.versions(id);
ALTER TABLE ONLY digits.version_tags
    ADD CONSTRAINT version_tags_version_id_fkey FOREIGN KEY (version_id) REFERENCES digits.versions(id);
ALTER TABLE ONLY digits.versions
    ADD CONSTRAINT versions_blob_sha256_fkey FOREIGN KEY (blob_sha256) REFERENCES digits.blobs(sha256);
ALTER TABLE ONLY digits.versions
    ADD CONSTRAINT versions_model_id_fkey FOREIGN KEY (model_id) REFERENCES digits.models(id);
REVOKE ALL ON FUNCTION digits.digits_approve(model integer, name text, version integer, moment bigint, why text) FROM PUBLIC;
REVOKE ALL ON FUNCTION digits.digits_move_alias(model integer, name text, version integer, event integer, moment bigint) FROM PUBLIC;
