# As much of nixpkgs' library as the module uses, so that it can be evaluated on a machine without nixpkgs: options,
# priorities, types, submodules with other keys besides, and the same refusals. It is not the library: what the module
# begins to use has to come in here first.
let
  inherit (builtins)
    all
    attrNames
    concatLists
    concatMap
    elem
    filter
    foldl'
    hasAttr
    head
    isAttrs
    isBool
    isFloat
    isFunction
    isInt
    isList
    isPath
    isString
    listToAttrs
    mapAttrs
    substring
    stringLength
    ;

  unique = list: foldl' (seen: x: if elem x seen then seen else seen ++ [ x ]) [ ] list;
  namesOf = sets: unique (concatMap attrNames sets);
  genAttrs =
    names: f:
    listToAttrs (
      map (name: {
        inherit name;
        value = f name;
      }) names
    );
  show = builtins.concatStringsSep ".";
  valuesAt = name: sets: map (set: set.${name}) (filter (hasAttr name) sets);

  # --- Properties -------------------------------------------------------------------------------------------------
  isType = type: value: isAttrs value && value._type or null == type;
  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  usual = 100;

  # The plain sets that a definition above the options consists of; what it is subject to moves to their values.
  pushDown =
    value:
    if isType "merge" value then
      concatMap pushDown value.contents
    else if isType "if" value then
      map (mapAttrs (_: mkIf value.condition)) (pushDown value.content)
    else if isType "override" value then
      map (mapAttrs (_: mkOverride value.priority)) (pushDown value.content)
    else
      [ value ];

  # The values of a definition of an option, each with its priority.
  discharge =
    priority: value:
    if isType "merge" value then
      concatMap (discharge priority) value.contents
    else if isType "if" value then
      if value.condition then discharge priority value.content else [ ]
    else if isType "override" value then
      discharge value.priority value.content
    else
      [ { inherit priority value; } ];

  strongest =
    definitions:
    let
      least = foldl' (a: b: if b.priority < a then b.priority else a) 9999 definitions;
    in
    map (d: d.value) (filter (d: d.priority == least) definitions);

  mergeDefinitions =
    loc: type: raw:
    let
      values = strongest (concatMap (discharge usual) raw);
      wrong = filter (value: !type.check value) values;
    in
    if wrong != [ ] then
      throw "A definition for option `${show loc}' is not of type `${type.description}'."
    else
      type.merge loc values;

  # --- Options ----------------------------------------------------------------------------------------------------
  evalOption =
    loc: option: raw:
    let
      defined = concatMap (discharge usual) raw != [ ];
      fallback = map (mkOverride 1500) (if option ? default then [ option.default ] else [ ]);
    in
    if defined && option.readOnly or false then
      throw "The option `${show loc}' is read-only, but it's set multiple times."
    else if !defined && fallback == [ ] then
      throw "The option `${show loc}' was accessed but has no value defined. Try setting the option."
    else
      (option.apply or (value: value)) (mergeDefinitions loc option.type (raw ++ fallback));

  # What definitions say about a tree of options. Other keys go to `freeform`, or are refused.
  evalTree =
    loc: freeform: tree: raw:
    let
      sets = concatMap pushDown raw;
      unknown = filter (name: !hasAttr name tree) (namesOf sets);
      known = mapAttrs (
        name: inner:
        let
          here = valuesAt name sets;
        in
        if isType "option" inner then
          evalOption (loc ++ [ name ]) inner here
        else
          evalTree (loc ++ [ name ]) null inner here
      ) tree;
    in
    if unknown == [ ] then
      known
    else if freeform == null then
      throw "The option `${show (loc ++ [ (head unknown) ])}' does not exist."
    else
      freeform.merge loc (map (set: builtins.removeAttrs set (attrNames tree)) sets) // known;

  mergeTrees =
    trees:
    genAttrs (namesOf trees) (
      name:
      let
        here = valuesAt name trees;
      in
      if isType "option" (head here) then head here else mergeTrees here
    );

  evalModules =
    { modules, specialArgs }:
    let
      load =
        module:
        let
          content = if isPath module then import module else module;
          set = if isFunction content then content arguments else content;
        in
        concatMap load (set.imports or [ ]) ++ [ set ];
      loaded = concatMap load modules;
      options = mergeTrees (map (set: set.options or { }) loaded);
      definitions = map (
        set: set.config or (if set ? options then { } else builtins.removeAttrs set [ "imports" ])
      ) loaded;
      config = evalTree [ ] null options definitions;
      arguments = specialArgs // {
        inherit config options lib;
      };
    in
    config;

  # --- Types ------------------------------------------------------------------------------------------------------
  same =
    loc: values:
    if all (value: value == head values) values then
      head values
    else
      throw "The option `${show loc}' has conflicting definition values.";
  simple = description: check: {
    inherit description check;
    merge = same;
  };
  types = rec {
    str = simple "string" isString;
    nonEmptyStr = simple "non-empty string" (value: isString value && value != "");
    lines = str // {
      merge = _: builtins.concatStringsSep "\n";
    };
    bool = simple "boolean" isBool;
    int = simple "signed integer" isInt;
    path = simple "absolute path" (
      value: isPath value || (isString value && substring 0 1 value == "/")
    );
    package = simple "package" (value: isAttrs value && value.type or null == "derivation");
    enum = words: simple "one of ${builtins.toJSON words}" (value: elem value words);
    addCheck = type: check: type // { check = value: type.check value && check value; };
    nullOr = type: {
      description = "null or ${type.description}";
      check = value: value == null || type.check value;
      merge = loc: values: if all (value: value == null) values then null else type.merge loc values;
    };
    listOf = type: {
      description = "list of ${type.description}";
      check = isList;
      merge = loc: values: map (value: mergeDefinitions loc type [ value ]) (concatLists values);
    };
    attrsOf = type: {
      description = "attribute set of ${type.description}";
      check = isAttrs;
      merge =
        loc: values:
        let
          sets = concatMap pushDown values;
          # What no condition lets through is not there.
          names = filter (name: concatMap (discharge usual) (valuesAt name sets) != [ ]) (namesOf sets);
        in
        genAttrs names (name: mergeDefinitions (loc ++ [ name ]) type (valuesAt name sets));
    };
    submodule = module: {
      description = "submodule";
      check = isAttrs;
      merge = loc: evalTree loc (module.freeformType or null) module.options;
    };
    # What YAML can say, and systemd's units, which is less.
    value = {
      description = "YAML value";
      check =
        value:
        value == null
        || isBool value
        || isInt value
        || isFloat value
        || isString value
        || isPath value
        || isList value
        || isAttrs value;
      merge =
        loc: values:
        if all (value: isAttrs value && !(value ? outPath)) values then
          (attrsOf types.value).merge loc values
        else if all isList values then
          (listOf types.value).merge loc values
        else
          same loc values;
    };
  };

  lib = {
    inherit
      concatLists
      concatMap
      evalModules
      mapAttrs
      mkIf
      mkMerge
      mkOverride
      types
      ;
    inherit (builtins) concatStringsSep;
    mkDefault = mkOverride 1000;
    mkForce = mkOverride 50;
    mkOption = set: set // { _type = "option"; };
    mkEnableOption =
      what:
      lib.mkOption {
        type = types.bool;
        default = false;
        description = "Whether to enable ${what}.";
      };
    literalExpression = text: text;
    literalMD = text: text;
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: values: if condition then values else [ ];
    optionalAttrs = condition: set: if condition then set else { };
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    filterAttrs =
      keep: set: genAttrs (filter (name: keep name set.${name}) (attrNames set)) (name: set.${name});
    getExe = package: "${package}/bin/${package.meta.mainProgram}";
  };
in
lib
