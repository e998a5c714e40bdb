"""The main pipeline: raw logs → model → gate → Bento → champion."""

from kfp import dsl

import components as steps


@dsl.pipeline(
    name="train-and-promote",
    description="Train a multi-task model on a shop's logs; promote it if the gate says so.",
)
def train_and_promote(spec_text: str, run_id: str) -> None:
    """Chain the components; the champion changes only in `promote-model`.

    Args:
        spec_text: Spec as YAML or JSON, profile and overrides applied.
        run_id: Id of the run; unique, or that of an unfinished run to take it up again.
    """
    record = steps.record_run(spec_text=spec_text, run_id=run_id).set_caching_options(False)
    with dsl.ExitHandler(record, name="train-and-promote"):
        checked = steps.check_spec(spec_text=spec_text, run_id=run_id)
        spec = checked.outputs["spec"]
        log = steps.prepare_logs(spec=spec).outputs["log"]
        training_set = steps.materialize_features(spec=spec, log=log, run_id=run_id).outputs[
            "training_set"
        ]
        validated = steps.validate_data(spec=spec, log=log, training_set=training_set)

        with dsl.If(validated.outputs["Output"] == True, name="data-is-valid"):  # noqa: E712 - kfp compiles the comparison
            online = steps.materialize_online(spec=spec).set_caching_options(False)
            with dsl.ParallelFor(checked.outputs["Output"], name="candidates") as candidate:
                trained = steps.train_mtl(spec=spec, training_set=training_set, candidate=candidate)
            chosen = steps.choose_candidate(candidates=dsl.Collected(trained.outputs["model"]))
            champion = steps.fetch_champion(spec=spec).set_caching_options(False)
            challenger = steps.solve_objective(
                spec=spec,
                model=chosen.outputs["model"],
                champion=champion.outputs["champion"],
                training_set=training_set,
            ).outputs["solved"]
            gate = steps.evaluate_gate(
                spec=spec,
                champion=champion.outputs["champion"],
                champion_version=champion.outputs["Output"],
                challenger=challenger,
                training_set=training_set,
            ).set_caching_options(False)
            decision = gate.outputs["decision"]

            with dsl.If(gate.outputs["Output"] == True, name="gate-promotes"):  # noqa: E712
                packaged = (
                    steps.package_bento(spec=spec, model=challenger, training_set=training_set)
                    .after(online)  # the service is tried with the features that it will read
                    .set_caching_options(False)
                )
                with dsl.If(packaged.outputs["Output"] == True, name="bento-is-blessed"):  # noqa: E712
                    steps.promote_model(
                        spec=spec,
                        model=challenger,
                        decision=decision,
                        bento=packaged.outputs["bento"],
                    ).set_caching_options(False)
                with dsl.Else(name="bento-is-not-blessed"):
                    steps.record_refusal(
                        spec=spec, model=challenger, decision=decision, reason="blessing"
                    ).set_caching_options(False)
            with dsl.Else(name="gate-refuses"):
                steps.record_refusal(
                    spec=spec, model=challenger, decision=decision, reason="gate"
                ).set_caching_options(False)

        with dsl.Else(name="data-is-invalid"):
            steps.stop_on_invalid_data(failed=validated.outputs["failed"]).set_caching_options(
                False
            )
