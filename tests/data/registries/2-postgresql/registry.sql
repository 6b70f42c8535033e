CREATE FUNCTION public.events_are_append_only() RETURNS trigger
    LANGUAGE plpgsql
    AS $$ BEGIN RAISE EXCEPTION 'events are append-only'; END $$;
CREATE TABLE public.aliases (
    model_id integer NOT NULL,
    alias character varying(63) NOT NULL,
    number integer NOT NULL,
    generation integer NOT NULL,
    updated_at bigint NOT NULL,
    CONSTRAINT alias_length CHECK ((length((alias)::text) <= 63))
);
CREATE TABLE public.blobs (
    sha256 character varying(64) NOT NULL,
    size bigint NOT NULL,
    created_at bigint NOT NULL,
    CONSTRAINT sha256_length CHECK ((length((sha256)::text) = 64))
);
CREATE TABLE public.events (
    model_id integer NOT NULL,
    seq integer NOT NULL,
    at bigint NOT NULL,
    actor character varying(2000) NOT NULL,
    kind character varying(32) NOT NULL,
    alias character varying(63),
    number integer,
    body text NOT NULL,
    prev_hash character varying(64) NOT NULL,
    hash character varying(64) NOT NULL
);
CREATE TABLE public.meta (
    id integer NOT NULL,
    schema_version integer NOT NULL,
    CONSTRAINT meta_id_check CHECK ((id = 1))
);
CREATE SEQUENCE public.meta_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.meta_id_seq OWNED BY public.meta.id;
CREATE TABLE public.models (
    id integer NOT NULL,
    name character varying(64) NOT NULL,
    next_version integer NOT NULL,
    created_at bigint NOT NULL,
    next_event integer DEFAULT 1 NOT NULL,
    event_head character varying(64) DEFAULT '0000000000000000000000000000000000000000000000000000000000000000'::character varying NOT NULL,
    event_at bigint DEFAULT '0'::bigint NOT NULL,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 64))
);
CREATE SEQUENCE public.models_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.models_id_seq OWNED BY public.models.id;
CREATE TABLE public.version_environment (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value character varying(2000) NOT NULL,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000)),
    CONSTRAINT value_length CHECK ((length((value)::text) <= 2000))
);
CREATE TABLE public.version_inputs (
    version_id integer NOT NULL,
    role character varying(2000) NOT NULL,
    sha256 character varying(64) NOT NULL,
    CONSTRAINT role_length CHECK ((length((role)::text) <= 2000))
);
CREATE TABLE public.version_metrics (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value double precision NOT NULL,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000))
);
CREATE TABLE public.version_params (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value character varying(2000) NOT NULL,
    number double precision,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000)),
    CONSTRAINT value_length CHECK ((length((value)::text) <= 2000))
);
CREATE TABLE public.version_tags (
    version_id integer NOT NULL,
    name character varying(2000) NOT NULL,
    value character varying(2000) NOT NULL,
    CONSTRAINT name_length CHECK ((length((name)::text) <= 2000)),
    CONSTRAINT value_length CHECK ((length((value)::text) <= 2000))
);
CREATE TABLE public.versions (
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
    CONSTRAINT idempotency_key_length CHECK ((length((idempotency_key)::text) <= 2000)),
    CONSTRAINT run_id_length CHECK ((length((run_id)::text) <= 2000)),
    CONSTRAINT state_length CHECK ((length((state)::text) <= 32))
);
CREATE SEQUENCE public.versions_id_seq
    AS integer
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;
ALTER SEQUENCE public.versions_id_seq OWNED BY public.versions.id;
ALTER TABLE ONLY public.meta ALTER COLUMN id SET DEFAULT nextval('public.meta_id_seq'::regclass);
ALTER TABLE ONLY public.models ALTER COLUMN id SET DEFAULT nextval('public.models_id_seq'::regclass);
ALTER TABLE ONLY public.versions ALTER COLUMN id SET DEFAULT nextval('public.versions_id_seq'::regclass);
INSERT INTO public.aliases VALUES (1, 'champion', 1, 6, 1795703367052101);
INSERT INTO public.aliases VALUES (1, 'challenger', 3, 7, 1795703367057627);
INSERT INTO public.blobs VALUES ('3bb63c501a2cb9b43bfbf09f0b02a7f12408e1922617522b8441afd37272b915', 9, 1795703366981481);
INSERT INTO public.blobs VALUES ('a8989317cf9287850260df63e5c4946861b8092ff02634fb4b3dab4f9fb1da56', 9, 1795703367009664);
INSERT INTO public.blobs VALUES ('c0f72102132542cac58c33196b4a9f06d04a6454d48b0dc56ed8b00568fb7d84', 9, 1795703367023181);
INSERT INTO public.blobs VALUES ('1259bb4ed39be941e948c44cee2d91c019c84fc96f3e3a46840f90df9cfdf015', 18, 1795703367037990);
INSERT INTO public.events VALUES (1, 1, 1795703366981481, 'ann', 'registered', NULL, 1, '{"version":{"code_version":"0.2.0","created_at":1795703366981481,"created_by":"ann","environment":{"numpy":"2.1.0"},"gate":[{"figure":0.98,"name":"validation_accuracy","passed":true,"threshold":0.97}],"idempotency_key":"run-1","inputs":{"train_images":"abababababababababababababababababababababababababababababababab"},"metrics":{"recall.7":0.95,"validation_accuracy":0.98},"params":{"dropout":true,"preset":"quick","seed":null,"sizes":[784,30,10]},"parent":null,"run_id":"run-1","sha256":"3bb63c501a2cb9b43bfbf09f0b02a7f12408e1922617522b8441afd37272b915","size":9,"tags":{"note":"\u00dcn\u00efcode ''quoted''","team":"ocr"}}}', '0000000000000000000000000000000000000000000000000000000000000000', 'dd969ee349838ec06c36eeca0ba5af83ed2067f8ee689dcbdd004558e6ecc687');
INSERT INTO public.events VALUES (1, 2, 1795703367009664, 'ann', 'registered', NULL, 2, '{"version":{"code_version":null,"created_at":1795703367009664,"created_by":"ann","environment":{},"gate":[{"figure":0.98,"name":"validation_accuracy","passed":true,"threshold":0.97},{"figure":0.4,"name":"recall of 7","passed":false,"threshold":0.9}],"idempotency_key":"run-2","inputs":{},"metrics":{},"params":{},"parent":"mnist/1","run_id":null,"sha256":"a8989317cf9287850260df63e5c4946861b8092ff02634fb4b3dab4f9fb1da56","size":9,"tags":{}}}', 'dd969ee349838ec06c36eeca0ba5af83ed2067f8ee689dcbdd004558e6ecc687', '1d03f6ba21dd2585a62ce6f5cf60c5cacddbb2856874c69d5dcd8785ebcc6eba');
INSERT INTO public.events VALUES (1, 3, 1795703367023181, 'ann', 'registered', NULL, 3, '{"version":{"code_version":null,"created_at":1795703367023181,"created_by":"ann","environment":{},"gate":[{"figure":0.98,"name":"validation_accuracy","passed":true,"threshold":0.97}],"idempotency_key":null,"inputs":{},"metrics":{},"params":{},"parent":"mnist/1","run_id":null,"sha256":"c0f72102132542cac58c33196b4a9f06d04a6454d48b0dc56ed8b00568fb7d84","size":9,"tags":{}}}', '1d03f6ba21dd2585a62ce6f5cf60c5cacddbb2856874c69d5dcd8785ebcc6eba', 'bba1ad9608cf8ff96c33df06c3ba2ec7d8261602b36710097563855a3476de86');
INSERT INTO public.events VALUES (2, 1, 1795703367037990, 'ann', 'registered', NULL, 1, '{"version":{"code_version":null,"created_at":1795703367037990,"created_by":"ann","environment":{},"gate":[],"idempotency_key":null,"inputs":{},"metrics":{},"params":{},"parent":null,"run_id":null,"sha256":"1259bb4ed39be941e948c44cee2d91c019c84fc96f3e3a46840f90df9cfdf015","size":18,"tags":{}}}', '0000000000000000000000000000000000000000000000000000000000000000', '0d1b6bfbef88910e43de32d0169e3de0b4697127b1261b1b156a5b2701c25fe2');
INSERT INTO public.events VALUES (1, 4, 1795703367042701, 'ann', 'alias_moved', 'champion', 1, '{"forced":false,"from":null}', 'bba1ad9608cf8ff96c33df06c3ba2ec7d8261602b36710097563855a3476de86', 'f767a9de5a06da0b87d436d84bb931f2eb4fb460140352835fa785d8e0205cd5');
INSERT INTO public.events VALUES (1, 5, 1795703367047084, 'ann', 'alias_moved', 'champion', 3, '{"forced":false,"from":1}', 'f767a9de5a06da0b87d436d84bb931f2eb4fb460140352835fa785d8e0205cd5', '1b14c103a1362e7d9fba915a825db41d62ed95347d650ba9c7116efe704a19a7');
INSERT INTO public.events VALUES (1, 6, 1795703367052101, 'ann', 'alias_rolled_back', 'champion', 1, '{"forced":false,"from":3}', '1b14c103a1362e7d9fba915a825db41d62ed95347d650ba9c7116efe704a19a7', 'a3fcee8f94490ade5ea62500bf467a4446b067b23e53b8405e2232d592b1e20b');
INSERT INTO public.events VALUES (1, 7, 1795703367057627, 'ann', 'alias_moved', 'challenger', 3, '{"forced":false,"from":null}', 'a3fcee8f94490ade5ea62500bf467a4446b067b23e53b8405e2232d592b1e20b', '9da4812b60a9eaf973fc1071cd8c31b49307636bf28f7a58945cc11c1e393b6e');
INSERT INTO public.events VALUES (1, 8, 1795703367061907, 'ann', 'alias_moved', 'gone', 2, '{"forced":false,"from":null}', '9da4812b60a9eaf973fc1071cd8c31b49307636bf28f7a58945cc11c1e393b6e', 'd6321d9c8cf19c2f19344cee541e079579aa7a2f37d6e8e1bbce8894c60bbeca');
INSERT INTO public.events VALUES (1, 9, 1795703367064434, 'ann', 'alias_removed', 'gone', NULL, '{"from":2}', 'd6321d9c8cf19c2f19344cee541e079579aa7a2f37d6e8e1bbce8894c60bbeca', '0e106e51ac778d7af9f6cccbea814af3dd55fe2658ce81e31f10ac4ec678b3cc');
INSERT INTO public.events VALUES (1, 10, 1795703367068538, 'ann', 'archived', NULL, 2, '{}', '0e106e51ac778d7af9f6cccbea814af3dd55fe2658ce81e31f10ac4ec678b3cc', '684f97c5b7a23177ff121e9bfcb2f37018e9410af153712c4677662453e613cf');
INSERT INTO public.meta VALUES (1, 2);
INSERT INTO public.models VALUES (2, 'letters', 2, 1795703367037558, 2, '0d1b6bfbef88910e43de32d0169e3de0b4697127b1261b1b156a5b2701c25fe2', 1795703367037990);
INSERT INTO public.models VALUES (1, 'mnist', 4, 1795703366977202, 11, '684f97c5b7a23177ff121e9bfcb2f37018e9410af153712c4677662453e613cf', 1795703367068538);
INSERT INTO public.version_environment VALUES (1, 'numpy', '2.1.0');
INSERT INTO public.version_inputs VALUES (1, 'train_images', 'abababababababababababababababababababababababababababababababab');
INSERT INTO public.version_metrics VALUES (1, 'recall.7', 0.95);
INSERT INTO public.version_metrics VALUES (1, 'validation_accuracy', 0.98);
INSERT INTO public.version_params VALUES (1, 'dropout', 'true', NULL);
INSERT INTO public.version_params VALUES (1, 'preset', '"quick"', NULL);
INSERT INTO public.version_params VALUES (1, 'seed', 'null', NULL);
INSERT INTO public.version_params VALUES (1, 'sizes', '[784,30,10]', NULL);
INSERT INTO public.version_tags VALUES (1, 'note', 'Ünïcode ''quoted''');
INSERT INTO public.version_tags VALUES (1, 'team', 'ocr');
INSERT INTO public.versions VALUES (1, 1, 1, 'ready', '3bb63c501a2cb9b43bfbf09f0b02a7f12408e1922617522b8441afd37272b915', 'run-1', 'run-1', 1795703366981481, 1, NULL, '0.2.0', 'ann', 'passed');
INSERT INTO public.versions VALUES (3, 1, 3, 'ready', 'c0f72102132542cac58c33196b4a9f06d04a6454d48b0dc56ed8b00568fb7d84', NULL, NULL, 1795703367023181, 3, 'mnist/1', NULL, 'ann', 'passed');
INSERT INTO public.versions VALUES (4, 2, 1, 'ready', '1259bb4ed39be941e948c44cee2d91c019c84fc96f3e3a46840f90df9cfdf015', NULL, NULL, 1795703367037990, 1, NULL, NULL, 'ann', NULL);
INSERT INTO public.versions VALUES (2, 1, 2, 'archived', 'a8989317cf9287850260df63e5c4946861b8092ff02634fb4b3dab4f9fb1da56', NULL, 'run-2', 1795703367009664, 2, 'mnist/1', NULL, 'ann', 'failed');
SELECT pg_catalog.setval('public.meta_id_seq', 1, false);
SELECT pg_catalog.setval('public.models_id_seq', 2, true);
SELECT pg_catalog.setval('public.versions_id_seq', 4, true);
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_pkey PRIMARY KEY (model_id, alias);
ALTER TABLE ONLY public.blobs
    ADD CONSTRAINT blobs_pkey PRIMARY KEY (sha256);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (model_id, seq);
ALTER TABLE ONLY public.meta
    ADD CONSTRAINT meta_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_name_key UNIQUE (name);
ALTER TABLE ONLY public.models
    ADD CONSTRAINT models_pkey PRIMARY KEY (id);
ALTER TABLE ONLY public.version_environment
    ADD CONSTRAINT version_environment_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY public.version_inputs
    ADD CONSTRAINT version_inputs_pkey PRIMARY KEY (version_id, role);
ALTER TABLE ONLY public.version_metrics
    ADD CONSTRAINT version_metrics_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY public.version_params
    ADD CONSTRAINT version_params_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY public.version_tags
    ADD CONSTRAINT version_tags_pkey PRIMARY KEY (version_id, name);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_model_id_idempotency_key_key UNIQUE (model_id, idempotency_key);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_model_id_number_key UNIQUE (model_id, number);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_pkey PRIMARY KEY (id);
CREATE INDEX aliases_by_number ON public.aliases USING btree (model_id, number);
CREATE INDEX events_by_alias ON public.events USING btree (model_id, alias, seq);
CREATE INDEX ix_versions_blob_sha256 ON public.versions USING btree (blob_sha256);
CREATE INDEX version_environment_by_value ON public.version_environment USING btree (name, substr((value)::text, 1, 250), version_id);
CREATE INDEX version_inputs_by_value ON public.version_inputs USING btree (role, sha256, version_id);
CREATE INDEX version_metrics_by_value ON public.version_metrics USING btree (name, value, version_id);
CREATE INDEX version_params_by_value ON public.version_params USING btree (name, substr((value)::text, 1, 250), version_id);
CREATE INDEX version_tags_by_value ON public.version_tags USING btree (name, substr((value)::text, 1, 250), version_id);
CREATE INDEX versions_by_run ON public.versions USING btree (run_id);
CREATE INDEX versions_by_state ON public.versions USING btree (model_id, state, number);
CREATE INDEX versions_by_time ON public.versions USING btree (model_id, created_at, number);
CREATE TRIGGER events_append_only BEFORE DELETE OR UPDATE OR TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.events_are_append_only();
ALTER TABLE ONLY public.aliases
    ADD CONSTRAINT aliases_model_id_number_fkey FOREIGN KEY (model_id, number) REFERENCES public.versions(model_id, number);
ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.models(id);
ALTER TABLE ONLY public.version_environment
    ADD CONSTRAINT version_environment_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.version_inputs
    ADD CONSTRAINT version_inputs_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.version_metrics
    ADD CONSTRAINT version_metrics_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.version_params
    ADD CONSTRAINT version_params_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.version_tags
    ADD CONSTRAINT version_tags_version_id_fkey FOREIGN KEY (version_id) REFERENCES public.versions(id);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_blob_sha256_fkey FOREIGN KEY (blob_sha256) REFERENCES public.blobs(sha256);
ALTER TABLE ONLY public.versions
    ADD CONSTRAINT versions_model_id_fkey FOREIGN KEY (model_id) REFERENCES public.models(id);
